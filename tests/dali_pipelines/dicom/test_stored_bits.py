"""How many bits of a decoded pixel are its value: signs that were copied, overlays in high bits."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dali_pipelines.cpu.decode import decode
from dali_pipelines.grayscale import display_table
from dali_pipelines.phantom.encode import SYNTAXES, encode_frame
from dali_pipelines.reader import read_encoded
from dali_pipelines.records import ImageRecord
from dali_pipelines.voi_settings import Voi

Read = Callable[..., ImageRecord]


@pytest.mark.parametrize("syntax", ["jpeg_sv1", "jpegls", "raw", "rle"])
@pytest.mark.parametrize("copied_sign", [True, False])
def test_signed_values_are_extended_from_the_bits_stored(
    new_dicom: Any, read_dicom: Read, syntax: str, copied_sign: bool
) -> None:
    values = np.linspace(-2048, 2047, 24).round().astype(np.int16).reshape(4, 6)
    words = values.view(np.uint16) if copied_sign else values.view(np.uint16) & 0xFFF
    file = new_dicom(PixelRepresentation=1, WindowCenter="0", WindowWidth="4096")
    file.syntax = SYNTAXES[syntax]
    data = encode_frame(words.astype(np.uint16), 16, syntax)
    file.pixels = data if syntax == "raw" else [data]
    record = read_dicom(file)
    assert (record.grayscale.bits, record.grayscale.signed) == (12, True)
    patterns = decode(read_encoded(record)).values
    assert np.array_equal(patterns, values.view(np.uint16) & 0xFFF)
    shown = display_table(record.grayscale, Voi())[patterns]
    assert np.array_equal(shown.ravel(), np.sort(shown.ravel()))
    assert (shown[0, 0], shown[3, 5]) == (0, 65_535)


OVERLAY_BITS, OVERLAY_POSITION, OVERLAY_DATA = 0x0100, 0x0102, 0x3000


@pytest.mark.parametrize(
    ("bits_allocated", "position", "data", "bits"),
    [
        (16, 12, False, 12),
        (1, 0, False, 16),
        (1, 12, False, 16),
        (16, 12, True, 16),
        (16, 0, False, 16),
    ],
)
def test_an_overlay_in_the_high_bits_is_cut_off(
    new_dicom: Any, read_dicom: Read, bits_allocated: int, position: int, data: bool, bits: int
) -> None:
    import imagecodecs

    file = new_dicom()
    stream = imagecodecs.jpeg2k_encode(
        np.full((4, 6), 0x1FFF, np.uint16), level=0, codecformat="j2k"
    )
    file.syntax, file.pixels = "1.2.840.10008.1.2.4.90", [bytes(stream)]
    group = 0x6002 << 16
    overlay = file.element(group | OVERLAY_BITS, "US", bits_allocated)
    overlay += file.element(group | OVERLAY_POSITION, "US", position)
    overlay += file.element(group | OVERLAY_DATA, "OW", b"\1\0\1\0") if data else b""
    whole = file.encode()
    at = whole.index(b"\xe0\x7f\x10\x00")
    record = read_dicom(whole[:at] + overlay + whole[at:])
    assert (record.grayscale.bits, record.grayscale.bits_stored) == (bits, 12)
    assert record.flags == ("precision_mismatch",)
