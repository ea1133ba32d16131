"""Pixel values -> codestream, for each transfer syntax a phantom can be written in.

All are lossless. imagecodecs writes JPEG 2000, HTJ2K, JPEG-LS and PackBits; lossless JPEG is ours,
since no library that we depend on writes all its predictors.
"""

import struct
from collections.abc import Callable
from typing import Final

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from dali_pipelines.errors import ConfigError
from dali_pipelines.phantom.lossless_jpeg import LosslessJpeg, encode_lossless
from dali_pipelines.settings import closest

SYNTAXES: Final[dict[str, str]] = {  # PS3.6 table A-1
    "raw": "1.2.840.10008.1.2.1",
    "implicit": "1.2.840.10008.1.2",
    "deflated": "1.2.840.10008.1.2.1.99",
    "rle": "1.2.840.10008.1.2.5",
    "j2k": "1.2.840.10008.1.2.4.90",
    "j2k_boxed": "1.2.840.10008.1.2.4.90",
    "htj2k": "1.2.840.10008.1.2.4.201",
    "jpegls": "1.2.840.10008.1.2.4.80",
    "jpeg_sv1": "1.2.840.10008.1.2.4.70",
    "jpeg_lossless": "1.2.840.10008.1.2.4.57",
}
NATIVE: Final = ("raw", "implicit", "deflated")  # not encapsulated: plain samples

_SSIZ_OFFSET = 40  # from the SIZ marker to Ssiz of component 0, T.800 A.5.1


def encode_frame(
    values: NDArray[np.uint16],
    precision: int,
    syntax: str,
    predictor: int = 1,
    tables_first: bool = False,
) -> bytes:
    """One image (H, W) as a codestream, or as little-endian samples for a native syntax.

    Samples take one byte where `precision` <= 8, else two. The codestream states `precision`,
    except that JPEG-LS states 8 or 16, all that its encoder here can write. `j2k_boxed` is wrapped
    in JP2 boxes inside the fragment, against PS3.5 A.4.4 but as found in archives. `predictor` is
    for jpeg_lossless, `tables_first` for both lossless JPEGs.
    """
    if syntax not in SYNTAXES:
        raise ConfigError(f"no syntax {syntax!r}.{closest(syntax, SYNTAXES)}")
    if values.size and int(values.max()) >> precision:
        raise ConfigError(f"value {values.max()} does not fit in {precision} bits")
    if syntax == "jpeg_sv1" and predictor != 1:
        raise ConfigError(f"jpeg_sv1 means predictor 1, not {predictor}; use jpeg_lossless")
    if syntax in ("jpeg_sv1", "jpeg_lossless"):
        return encode_lossless(values, LosslessJpeg(precision, predictor, tables_first))
    return _ENCODERS[syntax](values, precision)


def _samples(values: NDArray[np.uint16], precision: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
    return values.astype(np.uint8) if precision <= 8 else values.astype("<u2")


def _native(values: NDArray[np.uint16], precision: int) -> bytes:
    return _samples(values, precision).tobytes()


def _rle(values: NDArray[np.uint16], precision: int) -> bytes:
    """One segment per byte of the sample, high byte first, rows coded apart (PS3.5 annex G)."""
    planes = _samples(values, precision).view(np.uint8).reshape(*values.shape, -1)
    segments = []
    for plane in np.moveaxis(planes[..., ::-1], -1, 0):
        packed = bytes(imagecodecs.packbits_encode(np.ascontiguousarray(plane), axis=-1))
        segments.append(packed + b"\0" * (len(packed) % 2))
    offsets = np.cumsum([64, *map(len, segments[:-1])]).tolist()
    header = struct.pack("<16I", len(segments), *offsets, *[0] * (15 - len(segments)))
    return header + b"".join(segments)


def _j2k(values: NDArray[np.uint16], precision: int, form: str = "j2k") -> bytes:
    return bytes(
        imagecodecs.jpeg2k_encode(
            _samples(values, precision),
            level=0,
            codecformat=form,
            reversible=True,
            bitspersample=precision,
        )
    )


def _htj2k(values: NDArray[np.uint16], precision: int) -> bytes:
    """As OpenJPH writes it for 16 bits, then restated as `precision` bits.

    The encoder takes its precision from the dtype. Samples are coded after the level shift
    -2^(p-1) (T.800 G.1.2), so samples raised by 2^15 - 2^(p-1) give the same coefficients at 16
    bits as the true ones at p. Only Ssiz differs then; the spare bit planes of QCD stay empty.
    """
    raised = values + np.uint16((1 << 15) - (1 << (precision - 1)))
    stream = bytearray(imagecodecs.htj2k_encode(raised, reversible=True))
    ssiz = stream.index(b"\xff\x51") + _SSIZ_OFFSET
    assert stream[ssiz] == 15
    stream[ssiz] = precision - 1
    return bytes(stream)


def _jpegls(values: NDArray[np.uint16], precision: int) -> bytes:
    samples = _samples(values, precision)
    room = 2 * samples.nbytes + 4096  # noise grows; the encoder's own guess is then too small
    return bytes(imagecodecs.jpegls_encode(samples, level=0, out=room))


_ENCODERS: Final[dict[str, Callable[[NDArray[np.uint16], int], bytes]]] = {
    "raw": _native,
    "implicit": _native,
    "deflated": _native,
    "rle": _rle,
    "j2k": _j2k,
    "j2k_boxed": lambda values, precision: _j2k(values, precision, "jp2"),
    "htj2k": _htj2k,
    "jpegls": _jpegls,
}
