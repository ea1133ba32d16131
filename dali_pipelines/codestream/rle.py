"""Whether a frame can be DICOM RLE (PS3.5 annex G), from its 64-byte header and its length."""

import struct
from typing import Final

from dali_pipelines.verdicts import Reason, RejectError

HEADER_BYTES: Final = 64
_LONGEST_RUN: Final = 128  # pixels from one PackBits pair of bytes, PS3.5 G.3.1


def check_rle(head: bytes, size: int, pixels: int, bits_allocated: int) -> None:
    """Raise RejectError unless `head`, the first bytes of `size`, fits an image of `pixels`.

    CORRUPT: the header is not that of one segment for each byte of a pixel. TRUNCATED: a segment
    is too short to hold all pixels even if they were all equal.
    """
    if len(head) < HEADER_BYTES:
        raise RejectError(
            Reason.TRUNCATED, f"the RLE frame has {size} bytes, its header alone has {HEADER_BYTES}"
        )
    count, *offsets = struct.unpack_from("<16I", head)
    wanted = bits_allocated // 8
    if count != wanted:
        raise RejectError(
            Reason.CORRUPT,
            f"the RLE header states {count} segments, {bits_allocated}-bit pixels need {wanted}",
        )
    used = offsets[:count]
    if used[0] != HEADER_BYTES or used != sorted(set(used)):
        raise RejectError(Reason.CORRUPT, "the RLE header's segment offsets are not in order")
    least = 2 * -(-pixels // _LONGEST_RUN)
    for start, stop in zip(used, [*used[1:], size], strict=True):
        if stop - start < least or stop > size:
            raise RejectError(
                Reason.TRUNCATED,
                f"the RLE segment at byte {start} of {size} has {max(0, stop - start)} bytes, "
                f"{pixels} pixels take {least} at least",
            )
