"""The shape and the bits that the header promises, checked before anything is read or allocated.

PS3.3 C.7.6.3.1; for mammography C.8.11.3.1. What real archives bend is flagged, not refused.
"""

from dataclasses import dataclass
from typing import Final

from pydicom.dataset import Dataset

from dali_pipelines.dicom.tag_values import integer
from dali_pipelines.verdicts import Flag, Reason, RejectError

TAGS: Final = (
    "Rows",
    "Columns",
    "BitsAllocated",
    "BitsStored",
    "HighBit",
    "PixelRepresentation",
)

_MAX_SIDE: Final = 65535  # Rows and Columns are 16-bit


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """Image size in pixels and the layout of one pixel in bits, as the header has it."""

    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    flags: tuple[Flag, ...] = ()

    @property
    def native_bytes(self) -> int:
        """The size of the image when not compressed."""
        return self.rows * self.columns * self.bits_allocated // 8


def read_pixel_format(dataset: Dataset, max_pixels: int) -> PixelFormat:
    """The pixel format, checked.

    RejectError: HEADER for a missing or impossible value, UNSUPPORTED for other than 8 or 16 bits
    allocated, TOO_LARGE above `max_pixels`.
    """
    rows, columns = _required(dataset, "Rows"), _required(dataset, "Columns")
    if not (1 <= rows <= _MAX_SIDE and 1 <= columns <= _MAX_SIDE):
        raise RejectError(
            Reason.HEADER,
            f"the header says {rows} rows and {columns} columns; both must be 1-65535",
        )
    if rows * columns > max_pixels:
        raise RejectError(
            Reason.TOO_LARGE,
            f"the image has {rows} x {columns} pixels, more than the limit of {max_pixels}",
        )
    allocated, stored = _required(dataset, "BitsAllocated"), _required(dataset, "BitsStored")
    if allocated not in (8, 16):
        raise RejectError(
            Reason.UNSUPPORTED, f"{allocated} bits allocated for a pixel; only 8 and 16 are taken"
        )
    if not 1 <= stored <= allocated:
        raise RejectError(
            Reason.HEADER, f"{stored} bits stored do not fit into {allocated} bits allocated"
        )
    high_bit = integer(dataset, "HighBit")
    high_bit = stored - 1 if high_bit is None else high_bit
    if not stored - 1 <= high_bit < allocated:
        raise RejectError(
            Reason.HEADER,
            f"high bit {high_bit} does not fit {stored} bits stored of {allocated} allocated",
        )
    flags = (Flag.HIGH_BIT,) if high_bit != stored - 1 else ()
    return PixelFormat(rows, columns, allocated, stored, high_bit, _signed(dataset), flags)


def _required(dataset: Dataset, name: str) -> int:
    value = integer(dataset, name)
    if value is None:
        raise RejectError(Reason.HEADER, f"the header has no single number for {name}")
    return value


def _signed(dataset: Dataset) -> bool:
    """Whether Pixel Representation says signed; absent counts as unsigned, the rule for MG."""
    value = integer(dataset, "PixelRepresentation")
    if value not in (None, 0, 1):
        raise RejectError(Reason.HEADER, f"Pixel Representation is {value}; it must be 0 or 1")
    return value == 1
