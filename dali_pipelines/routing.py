"""Which decoder takes which codestream: decided by what the codestream says of itself."""

import importlib.util
from functools import cache
from typing import Literal, NamedTuple

from dali_pipelines.pixel_settings import DecodeSettings
from dali_pipelines.records import ImageRecord, StreamInfo, StreamKind

Route = Literal["dali", "imagecodecs", "numpy"]

DALI_MIN_BITS = 9  # DALI spreads 8 bits over 16 (value x 257); from 9 up it gives stored values
GPU_MIN_BITS = 8  # nvJPEG's lossless decoder begins there, and no mammogram has fewer
NVJPEG_PREDICTOR = 1  # the one selection value that nvJPEG decodes (T.81 table H.1)


class StreamClass(NamedTuple):
    """What decoders' bugs depend on: codestreams of one class are decoded right or wrong alike."""

    kind: StreamKind
    precision: int
    predictor: int
    manufacturer: str

    def __str__(self) -> str:
        predictor = f", predictor {self.predictor}" if self.predictor else ""
        maker = self.manufacturer or "an unnamed manufacturer"
        return f"{self.kind} of {self.precision} bits{predictor}, by {maker}"


def class_of(record: ImageRecord) -> StreamClass:
    """The class that the codestream of this record belongs to."""
    stream = record.stream
    maker = record.tags.manufacturer
    return StreamClass(stream.kind, stream.precision, stream.predictor, maker)


def route(stream: StreamInfo, *, frames: int = 1) -> Route:
    """The decoder for one codestream on the CPU, where decoders run in threads.

    DALI never takes the maximum over several `frames`, which is made one frame at a time.

    DALI's CPU decoder gives exact stored values for unsigned JPEG 2000 of 9 to 16 bits; it refuses
    signed ones, lossless JPEG above 8 bits and JPEG-LS, and takes twice as long as OpenJPH for
    HTJ2K. Where DALI is not installed (its wheels are for Linux only) imagecodecs takes all.
    """
    if stream.kind in {"raw", "rle"}:
        return "numpy" if stream.kind == "raw" else "imagecodecs"
    by_dali = (
        stream.kind == "j2k"
        and frames == 1
        and not stream.signed
        and stream.components == 1
        and stream.precision >= DALI_MIN_BITS
    )
    return "dali" if by_dali and has_dali() else "imagecodecs"


def route_gpu(
    stream: StreamInfo, settings: DecodeSettings, *, sound_nvjpeg: bool, frames: int = 1
) -> Literal["gpu", "cpu"]:
    """Whether DALI decodes one codestream on the GPU, or the CPU's decoders take it.

    Its mixed decoder gives every bit of unsigned JPEG 2000 and HTJ2K of up to 16 bits, and of
    lossless JPEG of predictor 1 without point transform if its nvJPEG is sound. It halves signed
    16-bit values, it cannot leave out wavelet levels (`settings.reduce`), and the maximum over
    several `frames` is the CPU's.
    """
    fits = frames == 1 and stream.components == 1 and not stream.signed
    fits = fits and GPU_MIN_BITS <= stream.precision <= 16
    if stream.kind in {"j2k", "htj2k"}:
        fits = fits and settings.reduce == 0
    elif stream.kind == "jpeg_lossless":
        plain = stream.predictor == NVJPEG_PREDICTOR and stream.point_transform == 0
        fits = fits and plain and sound_nvjpeg
    else:
        fits = False
    return "gpu" if fits else "cpu"


@cache
def has_dali() -> bool:
    """Whether DALI is installed; nothing is imported."""
    try:
        return importlib.util.find_spec("nvidia.dali") is not None
    except ModuleNotFoundError:
        return False
