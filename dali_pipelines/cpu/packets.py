"""Whether a JPEG 2000 or HTJ2K codestream has all its packets: OpenJPEG reads it with more behind.

The decoder takes packets that are missing at the end for empty ones, and nothing in the stream's
structure tells where that was left open, or where its lengths were made right after a cut. All
packets are read however few levels are decoded, so this takes 2 ms where decoding 7.3 MP takes 280.
Few streams have no levels to leave out, such as those with tiles of odd size: they are read whole.
The GPU's decoder is fast enough to be held up by it: there only what leaves its end open is kept
back (`gpu/intake.py`).
"""

from collections.abc import Callable
from functools import partial
from typing import Final

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import features

from dali_pipelines.codestream.levels import removable_levels
from dali_pipelines.codestream.open_end import with_more
from dali_pipelines.cpu.openjpeg_levels import Codestream
from dali_pipelines.records import StreamInfo
from dali_pipelines.verdicts import Reason, RejectError

_Reads = Callable[[NDArray[np.uint8]], bool]
_FEWEST_LEVELS: Final = 2


def require_all_packets(data: NDArray[np.uint8], stream: StreamInfo) -> bool:
    """Whether OpenJPEG read it; RejectError(TRUNCATED) where it waits for a packet behind the end.

    `data` is a bare codestream that the reader proved complete. False where OpenJPEG refuses it as
    it is: then it is for a strict decoder to say.
    """
    try:
        longer = with_more(data)
        reads = _choose_reader(data, stream)
    except RejectError:
        return False
    if reads is not None and not reads(longer):
        raise RejectError(
            Reason.TRUNCATED, "codestream ends before its last packet; fetch the file again"
        )
    return reads is not None


def _choose_reader(data: NDArray[np.uint8], stream: StreamInfo) -> _Reads | None:
    """What reads all packets of `data`; None where OpenJPEG refuses it.

    With fewer than 2 levels to leave out more than a sixteenth is left to decode: then all is.
    """
    levels = removable_levels(data.data)
    few = partial(_reads_few_levels, stream, levels)
    if levels >= _FEWEST_LEVELS and features.check_codec("jpg_2000") and few(data):
        return few
    return _reads_whole if _reads_whole(data) else None


def _reads_few_levels(stream: StreamInfo, levels: int, data: NDArray[np.uint8]) -> bool:
    try:
        Codestream(data, stream, levels).load()
    except OSError:
        return False
    return True


def _reads_whole(data: NDArray[np.uint8]) -> bool:
    try:
        imagecodecs.jpeg2k_decode(data, numthreads=1)
    except (RuntimeError, ValueError):
        return False
    return True
