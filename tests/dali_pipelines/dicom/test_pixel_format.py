from collections.abc import Callable
from typing import Any

import pytest

from dali_pipelines.records import ImageRecord
from dali_pipelines.verdicts import Reason, RejectError

Read = Callable[..., ImageRecord]


def reject_of(read: Read, file: Any, **options: Any) -> RejectError:
    with pytest.raises(RejectError) as caught:
        read(file, **options)
    return caught.value


@pytest.mark.parametrize("name", ["Rows", "Columns"])
@pytest.mark.parametrize("value", [0, None, b"", (4, 4)])
def test_a_side_is_one_number_from_1_on(
    new_dicom: Any, read_dicom: Read, name: str, value: Any
) -> None:
    assert reject_of(read_dicom, new_dicom(**{name: value})).reason is Reason.HEADER


def test_a_side_is_16_bits(new_dicom: Any, read_dicom: Read) -> None:
    file = new_dicom(Rows=65_536)
    file.vrs["Rows"] = "UL"
    assert reject_of(read_dicom, file).reason is Reason.HEADER


def test_the_pixel_cap_is_rows_times_columns(new_dicom: Any, read_dicom: Read) -> None:
    assert read_dicom(new_dicom(), max_pixels=24).tags.rows == 4
    error = reject_of(read_dicom, new_dicom(), max_pixels=23)
    assert error.reason is Reason.TOO_LARGE
    assert "4 x 6" in error.detail
    huge = new_dicom(Rows=65_535, Columns=65_535)
    assert reject_of(read_dicom, huge).reason is Reason.TOO_LARGE


@pytest.mark.parametrize("allocated", [1, 12, 24, 32, 64])
def test_other_allocations_are_unsupported(
    new_dicom: Any, read_dicom: Read, allocated: int
) -> None:
    file = new_dicom(BitsAllocated=allocated, BitsStored=allocated)
    assert reject_of(read_dicom, file).reason is Reason.UNSUPPORTED


@pytest.mark.parametrize(
    "tags",
    [
        {"BitsAllocated": None},
        {"BitsStored": None},
        {"BitsStored": 0},
        {"BitsStored": 17},
        {"BitsAllocated": 8},
        {"HighBit": 10},
        {"HighBit": 16},
        {"PixelRepresentation": 2},
    ],
)
def test_bits_that_do_not_fit_are_refused(
    new_dicom: Any, read_dicom: Read, tags: dict[str, Any]
) -> None:
    assert reject_of(read_dicom, new_dicom(**tags)).reason is Reason.HEADER


def test_a_high_bit_above_the_stored_bits_is_flagged(new_dicom: Any, read_dicom: Read) -> None:
    record = read_dicom(new_dicom(HighBit=15))
    assert record.flags == ("high_bit_shifted",)
    assert (record.tags.high_bit, record.tags.bits_stored, record.grayscale.bits) == (15, 12, 12)
    assert read_dicom(new_dicom(HighBit=None)).tags.high_bit == 11


def test_the_sign_is_pixel_representation(new_dicom: Any, read_dicom: Read) -> None:
    for value, signed in ((1, True), (0, False), (None, False)):
        record = read_dicom(new_dicom(PixelRepresentation=value))
        assert record.tags.signed is record.grayscale.signed is record.stream.signed is signed
