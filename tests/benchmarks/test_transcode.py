"""Images written in another transfer syntax: the same values, the same header, no less and no more.

pydicom and its decoders read both files, independent of the code that wrote the second.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from benchmarks.images import find_records
from benchmarks.job import Job
from benchmarks.transcode import transcode
from dali_pipelines.errors import DatasetError
from dali_pipelines.phantom.encode import SYNTAXES

READABLE = ("raw", "implicit", "deflated", "rle", "j2k", "jpegls", "jpeg_sv1", "jpeg_lossless")


def same_image(path: Path, other: Path, syntax: str) -> None:
    before, after = dcmread(path), dcmread(other)
    assert after.file_meta.TransferSyntaxUID == SYNTAXES[syntax]
    assert np.array_equal(after.pixel_array, before.pixel_array)
    for dataset in (before, after):
        del dataset.PixelData
    assert after == before


@pytest.mark.parametrize("syntax", READABLE)
def test_a_phantom_keeps_values_and_header(
    make_job: Callable[..., Job], tmp_path: Path, syntax: str
) -> None:
    record = make_job("jpeg_sv1", 1).records[0]
    transcode(record, syntax, tmp_path / "new.dcm")
    same_image(Path(record.location.path), tmp_path / "new.dcm", syntax)


def test_htj2k_is_found_by_our_own_reader(make_job: Callable[..., Job], tmp_path: Path) -> None:
    record = make_job("jpeg_sv1", 1).records[0]
    transcode(record, "htj2k", tmp_path / "new.dcm")
    (found,) = find_records([tmp_path], 1)
    assert found.stream.kind == "htj2k"
    assert (found.stream.precision, found.grayscale) == (record.stream.precision, record.grayscale)


@pytest.mark.filterwarnings("ignore")  # of pydicom, about values of real headers
@pytest.mark.parametrize("name", ["GH133.dcm", "MG1_J2KI.dcm"])
def test_a_real_file_keeps_values_and_header(shared_data: Path, tmp_path: Path, name: str) -> None:
    """GH133 codes 16 bits over 12 stored ones."""
    path = shared_data / "mammograms" / name
    (record,) = find_records([path], 1)
    transcode(record, "jpeg_sv1", tmp_path / "new.dcm")
    same_image(path, tmp_path / "new.dcm", "jpeg_sv1")
    (found,) = find_records([tmp_path], 1)
    assert found.grayscale == record.grayscale


def test_what_cannot_be_written_is_refused(make_job: Callable[..., Job], tmp_path: Path) -> None:
    record = make_job("jpeg_sv1", 1).records[0]
    signed = dataclasses.replace(record, tags=dataclasses.replace(record.tags, signed=True))
    with pytest.raises(DatasetError, match="signed"):
        transcode(signed, "raw", tmp_path / "new.dcm")
    Path(record.location.path).write_bytes(b"gone")
    with pytest.raises(DatasetError, match="cannot be read: E_CHANGED"):
        transcode(record, "raw", tmp_path / "new.dcm")
