"""One small DICOM file of each kind that a mammogram may come in, for decoders to be tried on.

What is lossless must come back bit for bit; what is not, within the tolerance that its encoder was
held to. All show the same picture.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import imagecodecs
import numpy as np
from numpy.typing import NDArray
from pydicom import dcmwrite
from pydicom.encaps import encapsulate
from pydicom.uid import UID

from dali_pipelines.dicom.uids import (
    DEFLATED,
    EXPLICIT_BIG_ENDIAN,
    IMPLICIT_LITTLE_ENDIAN,
    JPEG_LOSSLESS_SV1,
    NATIVE_SYNTAXES,
    RLE_LOSSLESS,
)
from dali_pipelines.phantom.encode import encode_frame
from dali_pipelines.phantom.header import HeaderSpec, build_header

_Values = NDArray[np.uint16]

_EXPLICIT_LITTLE_ENDIAN: Final = "1.2.840.10008.1.2.1"
_JPEG: Final = "1.2.840.10008.1.2.4."  # the root of all JPEG families
_BITS: Final = 12
_POINT_TRANSFORM: Final = 2  # low bits that the stream leaves out
_NEAR: Final = 2  # by how much a sample of the near-lossless stream may differ, T.87 A.4


@dataclass(frozen=True, slots=True)
class Trial:
    """A file: `frame` is its codestream or native bytes, `values` (H, W) what must come out.

    `values` are bit patterns of `bits` bits, two's complement where `signed`; a decoder may be off
    by `tolerance`. `title` names the kind for a reader, and kinds may share one. `vr` is that of
    native pixel data.
    """

    name: str
    title: str
    uid: str
    frame: bytes
    values: _Values
    bits: int = _BITS
    tolerance: int = 0
    signed: bool = False
    vr: str = "OW"


def write_trial(path: Path, trial: Trial) -> None:
    """Write the trial's file, replacing `path`."""
    changes = {"PixelRepresentation": int(trial.signed)}
    header = HeaderSpec(precision=trial.bits, changes=changes)
    dataset = build_header(header, (trial.values.shape[0], trial.values.shape[1]))
    dataset.file_meta.TransferSyntaxUID = UID(trial.uid)
    native = trial.uid in NATIVE_SYNTAXES
    dataset.PixelData = trial.frame if native else encapsulate([trial.frame])
    dataset["PixelData"].VR = trial.vr if native else "OB"
    dataset["PixelData"].is_undefined_length = not native
    dcmwrite(path, dataset, enforce_file_format=True)


def make_trials() -> tuple[Trial, ...]:
    """A trial of every transfer syntax, and of what decoders take in different ways within one."""
    values = _picture()
    return (*_native(values), *_jpeg(values), *_jpegls(values), *_wavelets(values))


def _picture() -> _Values:
    """(48, 64) uint16 that uses the whole range of _BITS bits."""
    values = np.random.default_rng(0).integers(0, 1 << _BITS, (48, 64), dtype=np.uint16)
    values[:, :32] = np.arange(48, dtype=np.uint16)[:, None] * 85  # smooth beside noise
    values[0, :2] = 0, (1 << _BITS) - 1
    return values


def _native(values: _Values) -> Iterator[Trial]:
    words = values.astype("<u2").tobytes()
    yield Trial("raw", "explicit little endian", _EXPLICIT_LITTLE_ENDIAN, words, values)
    yield Trial("implicit", "implicit little endian", IMPLICIT_LITTLE_ENDIAN, words, values)
    yield Trial("deflated", "deflated", DEFLATED, words, values)
    big = values.astype(">u2").tobytes()
    yield Trial("big_endian", "explicit big endian", EXPLICIT_BIG_ENDIAN, big, values)
    eight = _eight_bits(values)
    swapped = eight.astype(np.uint8).view("<u2").astype(">u2").tobytes()
    yield Trial("big_endian_8", "explicit big endian", EXPLICIT_BIG_ENDIAN, swapped, eight, bits=8)
    yield Trial("rle", "RLE", RLE_LOSSLESS, encode_frame(values, _BITS, "rle"), values)


def _jpeg(values: _Values) -> Iterator[Trial]:
    """DCT with quantization steps of 1 (level 100), and every way of lossless prediction."""
    eight = _eight_bits(values)
    baseline = bytes(imagecodecs.jpeg8_encode(eight.astype(np.uint8), level=100))
    extended = bytes(imagecodecs.jpeg8_encode(values, level=100, bitspersample=_BITS))
    title = "JPEG {}, {} bits"
    yield Trial("jpeg_baseline", title.format("baseline", 8), f"{_JPEG}50", baseline, eight, 8, 1)
    yield Trial(
        "jpeg_extended", title.format("extended", 12), f"{_JPEG}51", extended, values, tolerance=1
    )
    plain, other = "JPEG lossless, predictor 1", "JPEG lossless, predictors 2 to 7"
    frame = encode_frame(values, _BITS, "jpeg_sv1", tables_first=True)
    yield Trial("jpeg_sv1", plain, JPEG_LOSSLESS_SV1, frame, values)
    for predictor in range(1, 8):
        frame = encode_frame(values, _BITS, "jpeg_lossless", predictor=predictor)
        title = plain if predictor == 1 else other
        yield Trial(f"jpeg_lossless_{predictor}", title, f"{_JPEG}57", frame, values)
    kept = values & ~np.uint16((1 << _POINT_TRANSFORM) - 1)
    frame = _with_point_transform(values)
    title = "JPEG lossless, point transform"
    yield Trial("jpeg_lossless_pt", title, f"{_JPEG}57", frame, kept)


def _jpegls(values: _Values) -> Iterator[Trial]:
    frame = encode_frame(values, _BITS, "jpegls")
    yield Trial("jpegls", "JPEG-LS", f"{_JPEG}80", frame, values)
    frame = bytes(imagecodecs.jpegls_encode(values, level=_NEAR, out=4 * values.nbytes))
    title = "JPEG-LS, near-lossless"
    yield Trial("jpegls_near", title, f"{_JPEG}81", frame, values, tolerance=_NEAR)


def _wavelets(values: _Values) -> Iterator[Trial]:
    """JPEG 2000 and HTJ2K; the 9-7 wavelet with the finest steps that its encoders have."""
    plain = encode_frame(values, _BITS, "j2k")
    yield Trial("j2k", "JPEG 2000", f"{_JPEG}90", plain, values)
    frame = encode_frame(values, _BITS, "j2k_boxed")
    yield Trial("j2k_boxed", "JPEG 2000 in a JP2 box", f"{_JPEG}90", frame, values)
    options = {"level": 0, "codecformat": "j2k", "bitspersample": _BITS}
    centered = values.astype(np.int16) - (1 << (_BITS - 1))
    frame = bytes(imagecodecs.jpeg2k_encode(centered, reversible=True, **options))
    patterns = centered.view(np.uint16) & np.uint16((1 << _BITS) - 1)
    yield Trial("j2k_signed", "JPEG 2000, signed", f"{_JPEG}90", frame, patterns, signed=True)
    frame = bytes(imagecodecs.jpeg2k_encode(values, reversible=False, **options))
    yield Trial("j2k_lossy", "JPEG 2000, lossy", f"{_JPEG}91", frame, values, tolerance=1)
    frame = encode_frame(values, _BITS, "htj2k")  # in the order RPCL, which .202 asks for
    for last in ("201", "202"):
        name = "htj2k" if last == "201" else "htj2k_rpcl"
        yield Trial(name, "HTJ2K", f"{_JPEG}{last}", frame, values)
    frame = bytes(imagecodecs.htj2k_encode(values, reversible=False))
    yield Trial("htj2k_lossy", "HTJ2K, lossy", f"{_JPEG}203", frame, values, tolerance=1)


def _eight_bits(values: _Values) -> _Values:
    return values >> np.uint16(_BITS - 8)


def _with_point_transform(values: _Values) -> bytes:
    """The lossless stream of the upper bits, which states all bits and how many it left out.

    A stream with point transform Pt codes the samples divided by 2**Pt as if they had Pt bits less
    (T.81 H.1.2.1); SOF3 states P, and the last byte of SOS is Pt.
    """
    left_out = _POINT_TRANSFORM
    stream = bytearray(encode_frame(values >> np.uint16(left_out), _BITS - left_out, "jpeg_sv1"))
    stream[stream.index(b"\xff\xc3") + 4] = _BITS
    stream[stream.index(b"\xff\xda") + 9] = left_out
    return bytes(stream)
