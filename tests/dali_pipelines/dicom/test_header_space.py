"""Whatever a header says, it ends as a record that makes sense, or as a verdict."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dali_pipelines.dicom.image import ReadOptions, read_images
from dali_pipelines.grayscale import display_table
from dali_pipelines.reader import read_encoded
from dali_pipelines.records import ImageRecord
from dali_pipelines.storage.archive import Source
from dali_pipelines.verdicts import Reason, RejectError
from dali_pipelines.voi_settings import Voi
from tests.dali_pipelines.dicom.header_space import odd_files, sound_files
from tests.dicom_file import DicomFile

KEY = b"key of the tests"


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("headers") / "image.dcm"


def read(path: Path, file: DicomFile, options: ReadOptions) -> tuple[ImageRecord, ...]:
    file.write(path)
    return read_images(Source(str(path)), KEY, options)


@settings(max_examples=100, deadline=None)
@given(file=sound_files(), hashed=st.booleans())
def test_every_sound_header_is_read(path: Path, file: DicomFile, hashed: bool) -> None:
    (record,) = read(path, file, ReadOptions(hash=hashed, accept_processing=True))
    assert record.tags.bits_stored == file.tags["BitsStored"]
    assert record.tags.high_bit == file.tags["HighBit"]
    assert record.tags.laterality == (file.tags["ImageLaterality"] or "")
    assert record.tags.age_years == min(int(file.tags["PatientAge"][:3]), 90)
    assert read_encoded(record).data.tobytes() == file.pixels
    if record.grayscale.windows:  # raw detector data have none
        assert [window.width for window in record.grayscale.windows] == [
            float(text) for text in file.tags["WindowWidth"].split("\\")
        ]
    table = display_table(record.grayscale, Voi())
    assert table.shape == (1 << record.grayscale.bits,)
    assert table.dtype == np.uint16


@settings(max_examples=200, deadline=None)
@given(
    file=odd_files(),
    hashed=st.booleans(),
    any_modality=st.booleans(),
    frames=st.sampled_from(("error", "first", "middle", "all", "mip")),
)
def test_every_odd_header_is_a_record_or_a_verdict(
    path: Path, file: DicomFile, hashed: bool, any_modality: bool, frames: str
) -> None:
    options = ReadOptions(
        hash=hashed, any_modality=any_modality, frames=frames, accept_processing=hashed
    )
    try:
        for record in read(path, file, options):
            read_encoded(record)
            assert display_table(record.grayscale, Voi()).shape == (1 << record.grayscale.bits,)
    except RejectError as error:
        assert error.reason is not Reason.UNEXPECTED  # noqa: PT017
        assert str(path) not in error.detail  # noqa: PT017
