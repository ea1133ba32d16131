"""Which decoder takes which codestream: decided by what the codestream says of itself."""

import importlib.util
from functools import cache
from typing import Literal

from dali_pipelines.records import StreamInfo

Route = Literal["dali", "imagecodecs", "numpy"]

DALI_MIN_BITS = 9  # DALI spreads 8 bits over 16 (value x 257); from 9 up it gives stored values


def route(stream: StreamInfo) -> Route:
    """The decoder for one codestream on the CPU.

    DALI's CPU decoder gives exact stored values for unsigned JPEG 2000 and HTJ2K of 9 to 16 bits;
    it refuses signed ones, lossless JPEG above 8 bits and JPEG-LS. Where DALI is not installed
    (its wheels are for Linux only) imagecodecs takes all.
    """
    if stream.kind in {"raw", "rle"}:
        return "numpy" if stream.kind == "raw" else "imagecodecs"
    by_dali = (
        stream.kind in {"j2k", "htj2k"}
        and not stream.signed
        and stream.components == 1
        and stream.precision >= DALI_MIN_BITS
    )
    return "dali" if by_dali and has_dali() else "imagecodecs"


@cache
def has_dali() -> bool:
    """Whether DALI is installed; nothing is imported."""
    try:
        return importlib.util.find_spec("nvidia.dali") is not None
    except ModuleNotFoundError:
        return False
