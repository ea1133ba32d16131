"""One prepared image (C, H, W) <-> the bytes of one file: as it is, or as .npy, PNG or TIFF.

All are lossless, and give the same bytes for the same image, so that shards can be compared.
"""

import io
from typing import Any, Final, NamedTuple, Protocol

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dali_pipelines.shards.settings import INTEGER_MAX, Format, ShardSettings

Payload = bytes | memoryview

_PNG_LEVEL: Final = 6  # zlib's own default: 8 bits of 1.2 MP in 37 ms, to 330 kB (one core)
_DEFLATED: Final = "tiff_adobe_deflate"  # which every reader of TIFF 6 knows


class Encode(Protocol):
    """An image (C, H, W) to bytes."""

    def __call__(self, image: NDArray[Any]) -> Payload:
        """The bytes, which may be the memory of the image."""


class Decode(Protocol):
    """Bytes to an image (C, H, W)."""

    def __call__(
        self, payload: Payload, shape: tuple[int, int, int], dtype: np.dtype[Any]
    ) -> NDArray[Any]:
        """The image that was encoded; ValueError or OSError where it was none."""


class Encoding(NamedTuple):
    """A way to write one image, and the ending of its file."""

    encode: Encode
    decode: Decode
    suffix: str


def encoding_of(settings: ShardSettings) -> Encoding:
    """The encoding of the settings' format; a webdataset holds integers as PNG, floats as .npy."""
    if settings.format == "webdataset":
        return _ENCODINGS["png" if settings.dtype in INTEGER_MAX else "npy"]
    return _ENCODINGS[settings.format]


def _to_raw(image: NDArray[Any]) -> Payload:
    return np.ascontiguousarray(image).reshape(-1).view(np.uint8).data


def _from_raw(payload: Payload, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> NDArray[Any]:
    return np.frombuffer(payload, dtype).reshape(shape)


def _to_npy(image: NDArray[Any]) -> Payload:
    file = io.BytesIO()
    np.lib.format.write_array(file, image, allow_pickle=False)
    return file.getvalue()


def _from_npy(payload: Payload, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> NDArray[Any]:
    return _checked(np.load(io.BytesIO(payload), allow_pickle=False), shape, dtype)


def _to_png(image: NDArray[Any]) -> Payload:
    return bytes(imagecodecs.png_encode(image[0], level=_PNG_LEVEL))


def _from_png(payload: Payload, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> NDArray[Any]:
    try:
        return _checked(imagecodecs.png_decode(payload)[None], shape, dtype)
    except RuntimeError as error:  # the codec's own
        raise ValueError("no PNG") from error


def _to_tiff(image: NDArray[Any]) -> Payload:
    file = io.BytesIO()
    Image.fromarray(image[0]).save(file, "TIFF", compression=_DEFLATED)
    return file.getvalue()


def _from_tiff(payload: Payload, shape: tuple[int, int, int], dtype: np.dtype[Any]) -> NDArray[Any]:
    with Image.open(io.BytesIO(payload), formats=["TIFF"]) as picture:
        return _checked(np.asarray(picture)[None], shape, dtype)


def _checked(
    image: NDArray[Any], shape: tuple[int, int, int], dtype: np.dtype[Any]
) -> NDArray[Any]:
    if image.shape != shape or image.dtype != dtype:
        raise ValueError(f"an image of {image.dtype} {image.shape}, wanted {dtype} {shape}")
    return image


_ENCODINGS: Final[dict[Format, Encoding]] = {
    "shards": Encoding(_to_raw, _from_raw, ""),
    "npy": Encoding(_to_npy, _from_npy, ".npy"),
    "png": Encoding(_to_png, _from_png, ".png"),
    "png16": Encoding(_to_png, _from_png, ".png"),
    "tiff": Encoding(_to_tiff, _from_tiff, ".tif"),
}
