import struct

import numpy as np
import pytest
from pydicom.pixels.encoders.native import _encode_frame as encode_rle

from dali_pipelines.codestream.rle import check_rle
from dali_pipelines.verdicts import Reason, RejectError


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
