import struct

import numpy as np
import pytest
from pydicom.pixels.encoders.native import _encode_frame as encode_rle

from dali_pipelines.codestream.rle import check_rle, end_of_rle, require_row_length
from dali_pipelines.verdicts import Reason, RejectError


def runs(*rows: int) -> bytes:
    """A frame whose first segment codes rows of so many equal pixels apart."""
    pairs = bytearray()
    for row in rows:
        for count in [128] * (row // 128) + [row % 128] * bool(row % 128):
            pairs += bytes([257 - count if count > 1 else 0, 7])
    return header(2, 64, 64 + len(pairs)) + bytes(pairs)


@pytest.mark.parametrize("width", [5, 130, 256, 300])
def test_runs_that_end_with_the_columns_are_right(width: int) -> None:
    require_row_length(runs(*[width] * 7), 7, width)
    require_row_length(runs(*[width] * 7), 3 * width, width)


def test_runs_that_end_with_the_rows_tell_that_the_two_are_swapped() -> None:
    frame = runs(*[130] * 7)
    with pytest.raises(RejectError) as caught:
        require_row_length(frame, 130, 7)
    assert caught.value.reason is Reason.GEOMETRY
    assert "rows of 130 pixels, the header says 130 rows and 7 columns" in caught.value.detail
    require_row_length(frame[: 64 + 4 * 4], 130, 7)  # of three row ends none can be sure


def test_runs_that_end_nowhere_or_are_full_tell_nothing() -> None:
    require_row_length(runs(700), 128, 7)  # full runs end at every multiple of 128 anyway
    require_row_length(runs(700, 11, 200), 130, 7)
    require_row_length(header(2, 64, 70), 130, 7)
    nothing = header(2, 64, 70) + b"\x80" * 9  # the code that means nothing
    require_row_length(nothing, 130, 7)


def header(*numbers: int) -> bytes:
    return struct.pack("<16I", *numbers, *[0] * (16 - len(numbers)))


def reason_of(head: bytes, size: int, pixels: int = 256, bits: int = 16) -> Reason:
    with pytest.raises(RejectError) as caught:
        check_rle(head, size, pixels, bits)
    return caught.value.reason


@pytest.mark.parametrize("bits", [8, 16])
def test_what_pydicom_packs_passes(bits: int) -> None:
    for values in (np.zeros((40, 50)), np.random.default_rng(0).integers(0, 250, (40, 50))):
        data = _packed(values.astype(f"<u{bits // 8}"), bits)
        check_rle(data[:64], len(data), 2000, bits)


def _packed(values: np.ndarray, bits: int) -> bytes:
    from pydicom.pixels.encoders.base import EncodeRunner
    from pydicom.uid import RLELossless

    runner = EncodeRunner(RLELossless)
    runner.set_options(
        rows=40, columns=50, samples_per_pixel=1, bits_allocated=bits, bits_stored=bits,
        number_of_frames=1, photometric_interpretation="MONOCHROME2", pixel_representation=0,
    )  # fmt: skip
    return bytes(encode_rle(values.tobytes(), runner))


def test_a_header_of_another_pixel_size_is_corrupt() -> None:
    assert reason_of(header(1, 64), 500) is Reason.CORRUPT
    assert reason_of(header(2, 64, 200), 500, bits=8) is Reason.CORRUPT
    assert reason_of(header(0), 500) is Reason.CORRUPT
    assert reason_of(b"\xff\x4f\xff\x51" + bytes(60), 500) is Reason.CORRUPT


def test_offsets_out_of_order_are_corrupt() -> None:
    for head in (header(2, 0, 100), header(2, 64, 64), header(2, 200, 64), header(2, 65, 100)):
        assert reason_of(head, 500) is Reason.CORRUPT


def test_segments_that_cannot_hold_the_pixels_are_truncated() -> None:
    check_rle(header(2, 64, 68), 72, 256, 16)  # 256 equal pixels: two runs of 128, two bytes each
    assert reason_of(header(2, 64, 68), 72, pixels=257) is Reason.TRUNCATED
    assert reason_of(header(2, 64, 68), 71) is Reason.TRUNCATED
    assert reason_of(header(2, 64, 66), 500) is Reason.TRUNCATED
    assert reason_of(header(2, 64, 1 << 31), 500) is Reason.TRUNCATED
    assert reason_of(header(2, 64, 68)[:63], 63) is Reason.TRUNCATED


@pytest.mark.parametrize("bits", [8, 16])
def test_padding_after_the_last_pixel_is_told_from_pixels(bits: int) -> None:
    values = np.random.default_rng(0).integers(0, 250, (40, 50))
    for left in (values, np.where(np.arange(50) < 40, values, 0), np.zeros((40, 50))):
        data = _packed(left.astype(f"<u{bits // 8}"), bits)
        for padding in (0, 1, 2, 3, 64, 1 << 16):
            end = end_of_rle(data + bytes(padding), 2000)
            spared = (data + bytes(padding))[-2:] != bytes(2)
            assert end == (len(data) + padding if spared else len(data))
        assert end_of_rle(data + bytes(64) + b"x", 2000) == len(data) + 65


def test_zeros_that_are_pixels_stay() -> None:
    pixels = bytes([4, 9, 0, 0, 0, 0])  # five literals, the last four of them 0
    frame = header(1, 64) + pixels
    assert end_of_rle(frame, 5) == len(frame)
    assert end_of_rle(frame + bytes(10), 5) == len(frame)


def test_a_damaged_frame_has_no_end_of_its_own() -> None:
    for frame in (header(1, 64), header(0), header(2, 64, 1 << 31) + bytes(90), bytes(3), b""):
        assert end_of_rle(frame, 5000) == len(frame)
