"""JPEG 2000 that leaves open how much of it there should be: its decoder is asked a second time.

Psot 0 lets a tile-part run to the end of the data, TNsot 0 leaves the number of tile-parts open
(T.800 A.4.2). Such a stream, cut between two packets and closed with EOC, is well formed, and
OpenJPEG takes the packets that are missing for empty ones: of one image in 6 tile-parts it gave a
picture from the first part alone. But if bytes follow a tile's last packet that cannot be a packet,
they are never read where all packets are there, and are refused where one is missing.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.codestream.j2k import measure, tile_parts
from dali_pipelines.records import StreamKind
from dali_pipelines.verdicts import RejectError

# A packet header that is all ones, FF 7F being ones with a stuffed zero (T.800 B.10.1), adds to
# Lblock (B.10.7.1) until its lengths have more bits than a decoder takes. A cut may have left up to
# one such byte pair of a header, so there are some more.
_NO_PACKET: Final = b"\xff\x7f" * 16
_PSOT: Final = 6  # bytes from SOT to Psot


def ends_open(data: NDArray[np.uint8], kind: StreamKind) -> bool:
    """Whether this is JPEG 2000 or HTJ2K whose structure does not prove that all of it is there.

    False where it is damaged, which is for others to say.
    """
    if kind not in {"j2k", "htj2k"}:
        return False
    try:
        return not measure(data.data).proven
    except RejectError:
        return False


def with_more(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The codestream (n,) uint8 with bytes after the last packet of each tile that are no packet.

    A decoder that has read all packets gives the same picture; one that waits for more refuses
    them. `data` is a stream that `measure` takes; errors are as there.
    """
    last = {part.tile: part for part in tile_parts(data.data)}
    pieces, done = [], 0
    for part in sorted(last.values(), key=lambda part: part.at):
        psot = part.at + _PSOT
        length = int.from_bytes(data[psot : psot + 4], "big")
        told = length + len(_NO_PACKET) if length else 0
        pieces += [data[done:psot], np.frombuffer(told.to_bytes(4, "big"), np.uint8)]
        pieces += [data[psot + 4 : part.end], np.frombuffer(_NO_PACKET, np.uint8)]
        done = part.end
    return np.concatenate([*pieces, data[done:]])
