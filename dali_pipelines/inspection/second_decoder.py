"""A second opinion on a codestream: another decoder than the one a run takes, for `mammo verify`.

How independent it is differs, and is said: nothing but OpenJPEG decodes JPEG 2000 here, for one. A
second decoder never stands in for the first: the two are compared, and that is all.
"""

import importlib.util
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from PIL import Image

# Loads GDCM too. Not where they are used: a child measures the libraries first, to tell their
# memory from that of an image.
from pydicom.encaps import encapsulate
from pydicom.pixels.decoders.base import get_decoder

from dali_pipelines.codestream.jpeg import DRI, SOS, walk_segments
from dali_pipelines.codestream.markers import read_uint
from dali_pipelines.cpu.htj2k import decode_by_openjph, suits_openjph
from dali_pipelines.dicom.uids import RLE_LOSSLESS
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord, StreamKind
from dali_pipelines.stages import Encoded, Pixels
from dali_pipelines.stored_values import stream_shift
from dali_pipelines.verdicts import Reason, RejectError

Independence = Literal["another implementation", "another build of the same library", "none"]

# Measured on 25 MP, beside codestream and shared memory: GDCM 18.5 (JPEG-LS), Pillow 9.8, pydicom's
# RLE 9.0, OpenJPEG 6.2, liblj92 3.0; GDCM and pydicom copy the codestream, which takes up to 2.
SECOND_BYTES_PER_PIXEL: Final = 24

_JPEG_LOSSLESS: Final = "1.2.840.10008.1.2.4.57"
_JPEGLS_LOSSLESS: Final = "1.2.840.10008.1.2.4.80"

_Array = NDArray[Any]
_Decode = Callable[[NDArray[np.uint8], ImageRecord], _Array]


@dataclass(frozen=True, slots=True)
class SecondDecoder:
    """Who decodes a codestream the second time; `why_none` says why nobody does, else it is "".

    A fork counts as a build of the same library. `tolerance`: by how much stored values may differ,
    0 where the standard leaves no room.
    """

    library: str
    independence: Independence
    tolerance: int = 0
    why_none: str = ""


_Choice = tuple[SecondDecoder, _Decode | None]


def second_decoder(encoded: Encoded) -> SecondDecoder:
    """The second decoder for one codestream, chosen by what the codestream says of itself.

    The choice follows trials with every predictor at 2 to 16 bits, restarts, point transforms (T.81
    annex H), signed values and both wavelets:

    - lossless JPEG: the run's is libjpeg-turbo. liblj92 passes over restarts and point transforms
      and gives wrong values without a word, jpegsof3 too; GDCM does not, but its decoder and
      libjpeg-turbo's come from one patch (K. Murchison's of libjpeg 6b).
    - HTJ2K: whichever of OpenJPEG and OpenJPH the run does not take. With the 9-7 wavelet they
      differ by up to 3 of 65,535 and OpenJPH lets values wrap around, so there it is OpenJPEG too.
    - JPEG-LS: CharLS for all. That of pyjpegls 1.5 refuses a sound file of the NEMA, GDCM's none.
    - 8-bit DCT: libjpeg-turbo for all. T.81 leaves the rounding of the transform open.
    """
    return _choice(encoded)[0]


def decode_second(encoded: Encoded, _recipe: Recipe) -> Pixels:
    """The stored values of one image by its second decoder, (H, W) uint16 as `decode` gives them.

    Raises RejectError(UNSUPPORTED) where there is none, (CORRUPT) where it refuses the data.
    """
    chosen, decode = _choice(encoded)
    if decode is None:
        raise RejectError(Reason.UNSUPPORTED, f"there is no second decoder: {chosen.why_none}")
    record = encoded.record
    try:
        values = decode(encoded.data, record)
    except RejectError:
        raise
    except (RuntimeError, ValueError, OSError) as error:  # their texts may hold anything
        raise RejectError(
            Reason.CORRUPT, f"{chosen.library} refused the codestream ({type(error).__name__})"
        ) from error
    unused = record.tags.high_bit + 1 - record.tags.bits_stored
    shift = unused if record.stream.kind == "rle" else stream_shift(record)
    return Pixels(values.astype(np.uint16), shift)


def _choice(encoded: Encoded) -> _Choice:
    if encoded.sizes:
        return _none("the image is a maximum over frames")
    return _CHOICES[encoded.record.stream.kind](encoded)


def _none(why: str) -> _Choice:
    return SecondDecoder("", "none", why_none=why), None


def _for_raw(_encoded: Encoded) -> _Choice:
    return _none("native pixels are not coded, their hash is all there is to compare")


def _for_rle(_encoded: Encoded) -> _Choice:
    return SecondDecoder("pydicom", "another implementation"), _decode_rle


def _for_j2k(encoded: Encoded) -> _Choice:
    rounding = int(encoded.record.stream.lossy)  # the 9-7 wavelet is computed in float32
    library = "OpenJPEG of Pillow"
    return SecondDecoder(library, "another build of the same library", rounding), _decode_pillow


def _for_htj2k(encoded: Encoded) -> _Choice:
    if suits_openjph(encoded.data, encoded.record):
        return SecondDecoder("OpenJPEG", "another implementation"), _decode_openjpeg
    if encoded.record.stream.lossy:
        return _for_j2k(encoded)
    return SecondDecoder("OpenJPH", "another implementation"), _decode_openjph


def _for_jpeg_lossless(encoded: Encoded) -> _Choice:
    if not encoded.record.stream.point_transform and not _restarts(encoded.data):
        return SecondDecoder("liblj92", "another implementation"), _decode_liblj92
    return _by_gdcm("libjpeg of GDCM", _JPEG_LOSSLESS)


def _for_jpegls(_encoded: Encoded) -> _Choice:
    return _by_gdcm("CharLS of GDCM", _JPEGLS_LOSSLESS)


def _for_jpeg_dct(encoded: Encoded) -> _Choice:
    if encoded.record.stream.precision != 8:
        return _none("nothing but libjpeg-turbo decodes JPEG of 12 bits here")
    library = "libjpeg-turbo of Pillow"
    return SecondDecoder(library, "another build of the same library", 1), _decode_pillow


def _by_gdcm(library: str, syntax: str) -> _Choice:
    if importlib.util.find_spec("gdcm") is None:
        return _none(f"{library} would be it, and python-gdcm is not installed")
    decode = partial(_decode_gdcm, syntax=syntax)
    return SecondDecoder(library, "another build of the same library"), decode


def _restarts(data: NDArray[np.uint8]) -> bool:
    """Whether a DRI segment before the scan sets a restart interval (T.81 B.2.4.4)."""
    for segment in walk_segments(data.data):
        if segment.marker == DRI:
            return read_uint(data.data, segment.start, 2) > 0
        if segment.marker == SOS:
            break
    return False


def _decode_liblj92(data: NDArray[np.uint8], _record: ImageRecord) -> _Array:
    return np.asarray(imagecodecs.ljpeg_decode(data))


def _decode_openjpeg(data: NDArray[np.uint8], record: ImageRecord) -> _Array:
    """HTJ2K that the run gives to OpenJPH; if that refuses it, the run's picture is OpenJPEG's."""
    if decode_by_openjph(data, record) is None:
        raise RejectError(Reason.UNSUPPORTED, "OpenJPH does not take it, so OpenJPEG was the first")
    return np.asarray(imagecodecs.jpeg2k_decode(data, numthreads=1))


def _decode_openjph(data: NDArray[np.uint8], _record: ImageRecord) -> _Array:
    return np.asarray(imagecodecs.htj2k_decode(data))


def _decode_pillow(data: NDArray[np.uint8], record: ImageRecord) -> _Array:
    """Pillow lifts signed JPEG 2000 values to 0 and up, then spreads p bits over 8 or 16."""
    stream = record.stream
    try:
        with Image.open(io.BytesIO(data.data)) as picture:
            spread = np.asarray(picture)
    except Image.DecompressionBombError as error:
        raise RejectError(Reason.UNSUPPORTED, "Pillow takes no image of this size") from error
    if stream.kind == "jpeg_dct":
        return spread
    values = (spread >> (8 * spread.itemsize - stream.precision)).astype(np.uint16)
    return values - np.uint16(1 << (stream.precision - 1)) if stream.signed else values


def _decode_gdcm(data: NDArray[np.uint8], record: ImageRecord, syntax: str) -> _Array:
    stream = record.stream
    return _by_pydicom(data, syntax, "gdcm", (stream.height, stream.width), stream.precision)


def _decode_rle(data: NDArray[np.uint8], record: ImageRecord) -> _Array:
    tags = record.tags  # all bits of a cell: whoever compares drops what lies above and below
    shape = tags.rows, tags.columns
    return _by_pydicom(data, RLE_LOSSLESS, "pydicom", shape, tags.bits_allocated)


def _by_pydicom(
    data: NDArray[np.uint8], syntax: str, plugin: str, shape: tuple[int, int], bits: int
) -> _Array:
    """Unsigned values (H, W) of `bits` bits, by one of the decoders that pydicom can call."""
    form: dict[str, Any] = {
        "rows": shape[0],
        "columns": shape[1],
        "samples_per_pixel": 1,
        "number_of_frames": 1,
        "photometric_interpretation": "MONOCHROME2",
        "pixel_keyword": "PixelData",
        "pixel_representation": 0,
        "bits_allocated": 8 if bits <= 8 else 16,
        "bits_stored": bits,
    }
    frames = encapsulate([data.tobytes()])
    decoder = get_decoder(syntax)
    values, _ = decoder.as_array(frames, index=0, raw=True, decoding_plugin=plugin, **form)
    return values


_CHOICES: Final[dict[StreamKind, Callable[[Encoded], _Choice]]] = {
    "raw": _for_raw,
    "rle": _for_rle,
    "j2k": _for_j2k,
    "htj2k": _for_htj2k,
    "jpeg_lossless": _for_jpeg_lossless,
    "jpegls": _for_jpegls,
    "jpeg_dct": _for_jpeg_dct,
}
