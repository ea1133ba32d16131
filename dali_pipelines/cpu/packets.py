"""Whether a JPEG 2000 or HTJ2K codestream has all its packets: OpenJPEG reads it with more behind.

The decoder takes packets that are missing at the end for empty ones, and nothing in the stream's
structure tells where that was left open, or where its lengths were made right after a cut. All
packets are read however few levels are decoded, so this takes 2 ms where decoding 7.3 MP takes 280.
Few streams have no levels to leave out, such as those with tiles of odd size: they are read whole.
The GPU's decoder is fast enough to be held up by it: there only what leaves its end open is kept
back (`gpu/intake.py`).
"""

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

_FEWEST_LEVELS: Final = 2  # with fewer, more than a sixteenth is left to decode: then all is


def require_all_packets(data: NDArray[np.uint8], stream: StreamInfo) -> bool:
    """Whether OpenJPEG read it; RejectError(TRUNCATED) where it waits for a packet behind the end.

    `data` is a bare codestream that the reader proved complete. False where OpenJPEG refuses it as
    it is, or was not asked: then it is for a strict decoder to say.
    """
    try:
        longer = with_more(data)
        levels = removable_levels(data.data)
    except RejectError:
        return False
    few = partial(_reads_few_levels, stream, levels)
    is_read = levels >= _FEWEST_LEVELS and features.check_codec("jpg_2000") and few(data)
    # Where all would be decoded, `data` as it is comes last, for what waits for more: a sound
    # stream is then decoded here once. That does not tell that `data` alone can be read, since what
    # lacks the end of its last packet takes the bytes put behind it for that end.
    waits = not few(longer) if is_read else not _reads_whole(longer) and _reads_whole(data)
    if waits:
        raise RejectError(
            Reason.TRUNCATED, "codestream ends before its last packet; fetch the file again"
        )
    return is_read


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
