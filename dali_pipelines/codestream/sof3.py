"""A lossless JPEG's header in the one order that every GPU decoder reads right.

nvJPEG before 13.0.2 returns zeros, without an error, where DHT stands before SOF3, as GE writes it
(nvImageCodec, issue 50), and nvImageCodec 0.9 refuses some segments before SOF3. T.81 B.2.1 leaves
the order of tables, frame and comments free, so another order is the same picture.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.codestream.jpeg import DHT, DRI, SOF3, SOI, SOS, walk_segments
from dali_pipelines.codestream.markers import corrupt

_KEPT: Final = (SOF3, DHT, DRI)  # in this order; a lossless decoder needs nothing else before SOS


def normalize_header(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The stream (n,) with the header SOI, SOF3, DHT, DRI, SOS: `data` itself where it has that.

    APPn, COM, fill bytes and what else a lossless frame does not need are left out; segments of one
    kind keep their order. One component: of more, APP14 might say which colors they are.
    RejectError(CORRUPT | TRUNCATED) if the header is damaged or not of one lossless frame.
    """
    stream = data.data
    kept: dict[int, list[bytes]] = {marker: [] for marker in _KEPT}
    for segment in walk_segments(stream):
        if segment.marker == SOS:
            break
        if segment.marker in kept:
            kept[segment.marker].append(bytes(stream[segment.at : segment.end]))
    else:
        raise corrupt("it has no scan")
    if len(kept[SOF3]) != 1:
        raise corrupt(f"it has {len(kept[SOF3])} lossless frames before its scan, wanted 1")
    header = SOI.to_bytes(2, "big") + b"".join(part for parts in kept.values() for part in parts)
    if header == stream[: segment.at]:
        return data
    return np.concatenate([np.frombuffer(header, np.uint8), data[segment.at :]])
