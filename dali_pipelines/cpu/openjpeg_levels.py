"""A JPEG 2000 or HTJ2K codestream without its finest wavelet levels, by the OpenJPEG in Pillow.

Pillow holds the GIL while it decodes.
"""

import io
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import ImageFile

from dali_pipelines.records import StreamInfo

FORMAT: Final = "JPEG2000"


def reduced_shape(stream: StreamInfo, levels: int) -> tuple[int, int]:
    """(h, w) without that many levels (T.800 B.5)."""
    return -(-stream.height >> levels), -(-stream.width >> levels)


class Codestream(ImageFile.ImageFile):
    """A bare codestream for Pillow's decoder, which spreads p bits over 8 or 16.

    Pillow's own reader rounds a reduced size to the nearest where T.800 B.5 rounds it up, and then
    refuses what does not fit (37 px without 2 levels are 10, not 9); so the size is said here.
    `load` raises OSError where OpenJPEG refuses the stream.
    """

    format = FORMAT

    def __init__(self, data: NDArray[np.uint8], stream: StreamInfo, levels: int) -> None:
        self._stream = stream
        self._levels = levels
        self._length = len(data)
        super().__init__(io.BytesIO(data.data))

    def _open(self) -> None:
        height, width = reduced_shape(self._stream, self._levels)
        self._mode = "I;16" if self._stream.precision > 8 else "L"
        self._size = (width, height)
        all_layers, no_descriptor = 0, -1
        arguments = ("j2k", self._levels, all_layers, no_descriptor, self._length)
        self.tile = [ImageFile._Tile("jpeg2k", (0, 0, width, height), 0, arguments)]
