"""8-bit pixels in the 16-bit words of explicit big endian, which swaps the two of each word."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest

from dali_pipelines.cpu.decode import decode
from dali_pipelines.dicom.image import ReadOptions, read_images
from dali_pipelines.reader import read_encoded
from dali_pipelines.records import ImageRecord
from dali_pipelines.storage.archive import Source
from dali_pipelines.verdicts import Reason, RejectError

Read = Callable[..., ImageRecord]


@pytest.fixture
def file_of(new_dicom: Any) -> Callable[..., Any]:
    """file_of(3, 5, frames=2) -> a big-endian file of 8-bit pixels 0, 1, 2 ... in swapped words."""

    def make(rows: int, columns: int, frames: int = 1) -> Any:
        file = new_dicom(Rows=rows, Columns=columns, BitsAllocated=8, BitsStored=8, HighBit=7)
        file.tags["NumberOfFrames"] = frames
        file.big, file.syntax = True, "1.2.840.10008.1.2.2"
        count = frames * rows * columns
        file.pixels = bytes(k ^ 1 for k in range(count + count % 2))  # 1 0 3 2 5 4 ...
        return file

    return make


@pytest.mark.parametrize(("rows", "columns"), [(4, 6), (3, 5)])
def test_they_come_out_in_order(
    rows: int, columns: int, file_of: Any, read_dicom: Read, tmp_path: Path
) -> None:
    record = read_dicom(file_of(rows, columns))
    expected = np.arange(rows * columns).reshape(rows, columns)
    assert (record.stream.swapped, record.flags) == (True, ())
    assert np.array_equal(decode(read_encoded(record)).values, expected)
    assert np.array_equal(pydicom.dcmread(tmp_path / "image.dcm").pixel_array, expected)


def test_bytes_are_bytes(file_of: Any, read_dicom: Read) -> None:
    file = file_of(3, 5)
    file.pixel_vr = "OB"  # PS3.5 annex A.3
    record = read_dicom(file)
    assert not record.stream.swapped
    assert decode(read_encoded(record)).values.ravel().tolist() == list(file.pixels[:15])


def test_they_come_in_pairs(file_of: Any, read_dicom: Read) -> None:
    file = file_of(3, 5)
    file.pixels = bytes(15)
    with pytest.raises(RejectError) as caught:
        read_dicom(file)
    assert caught.value.reason is Reason.TRUNCATED
    assert "have 15 bytes, 16 were expected" in caught.value.detail


def test_frames_begin_with_a_word(file_of: Any, tmp_path: Path) -> None:
    options = ReadOptions(frames="all")
    source = Source(str(file_of(3, 6, frames=2).write(tmp_path / "frames.dcm")))
    frames = [decode(read_encoded(r)).values for r in read_images(source, b"key", options)]
    assert [frame.ravel().tolist() for frame in frames] == [[*range(18)], [*range(18, 36)]]
    file_of(3, 5, frames=2).write(tmp_path / "frames.dcm")
    with pytest.raises(RejectError) as caught:
        read_images(source, b"key", options)
    assert caught.value.reason is Reason.UNSUPPORTED
