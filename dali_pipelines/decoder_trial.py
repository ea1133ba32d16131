"""Each decoder that a transfer syntax may meet on this machine, tried and compared bit for bit.

A small DICOM file goes the whole way from disk: header, codestream, decode; then every value is
compared with what was written.
"""

import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.decoder import Decoded, Decoder
from dali_pipelines.dicom.image import ReadOptions, read_image
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.phantom.encode import SYNTAXES
from dali_pipelines.phantom.header import HeaderSpec
from dali_pipelines.phantom.write import write_dicom
from dali_pipelines.reader import read_encoded
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import Encoded, Pixels
from dali_pipelines.routing import route
from dali_pipelines.storage.archive import Source
from dali_pipelines.verdicts import RejectError

Outcome = Literal["ok", "wrong", "failed", "unavailable"]

_ISOLATIONS: Final[tuple[Literal["process", "thread"], ...]] = ("process", "thread")
_PRECISION: Final = 12
_PREDICTOR: Final = 7  # of the jpeg_lossless case; jpeg_sv1 is predictor 1


@dataclass(frozen=True, slots=True)
class DecoderCheck:
    """How `decoder` did on a file of one transfer syntax; `chosen` if a run uses it by default."""

    syntax: str
    uid: str
    decoder: str
    chosen: bool
    outcome: Outcome
    detail: str = ""


def check_decoders(syntaxes: Iterable[str] = SYNTAXES) -> tuple[DecoderCheck, ...]:
    """Each decoder that may meet a transfer syntax here, tried on a file of it."""
    values = _test_image()
    checks: list[DecoderCheck] = []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as pool:
        in_children, in_threads = (
            Decoder(LoaderSettings(threads=1, isolation=isolation), Recipe("trial"), pool)
            for isolation in _ISOLATIONS
        )
        for syntax in syntaxes:
            path = Path(folder, f"{syntax}.dcm")
            predictor = _PREDICTOR if syntax == "jpeg_lossless" else 1
            header = HeaderSpec(syntax=syntax, precision=_PRECISION, predictor=predictor)
            write_dicom(path, values, header)
            checks += _check_file(syntax, path, (in_children, in_threads), values)
        in_children.close()
        in_threads.close()
    return tuple(checks)


def _check_file(
    syntax: str, path: Path, decoders: tuple[Decoder, Decoder], wanted: NDArray[np.uint16]
) -> list[DecoderCheck]:
    """One check for the decoder of a run in processes, one for that in threads if it differs."""
    in_children, in_threads = decoders
    uid = SYNTAXES[syntax]
    try:
        encoded = read_encoded(read_image(Source(str(path)), bytes(32), ReadOptions()))
    except RejectError as error:
        return [DecoderCheck(syntax, uid, "reader", True, "failed", str(error))]
    of_threads = route(encoded.record.stream)
    chosen = "imagecodecs" if of_threads == "dali" else of_threads
    found = _try(chosen, in_children, encoded, wanted)
    checks = [DecoderCheck(syntax, uid, chosen, True, *found)]
    if of_threads != chosen:
        found = _try(of_threads, in_threads, encoded, wanted)
        checks.append(DecoderCheck(syntax, uid, of_threads, False, *found))
    return checks


def _try(
    library: str, decoder: Decoder, encoded: Encoded, wanted: NDArray[np.uint16]
) -> tuple[Outcome, str]:
    name = f"{library} {encoded.record.stream.kind}"
    before = decoder.counts[name]
    try:
        (result,) = decoder.decode([encoded])
    except (ImportError, OSError, RuntimeError) as error:  # its library or process does not start
        return "unavailable", f"{type(error).__name__}: {error}"
    if isinstance(result, Pixels) and decoder.counts[name] == before:
        return "failed", "it refused the codestream and its stand-in took over"
    return _judge(result, wanted)


def _judge(result: Decoded, wanted: NDArray[np.uint16]) -> tuple[Outcome, str]:
    if not isinstance(result, Pixels):
        return "failed", str(result)
    stored = np.asarray(result.values) >> result.shift
    if stored.shape != wanted.shape:
        return "wrong", f"shape {stored.shape} in place of {wanted.shape}"
    different = int((stored != wanted).sum())
    return ("wrong", f"{different} of {wanted.size} values differ") if different else ("ok", "")


def _test_image() -> NDArray[np.uint16]:
    """(48, 64) uint16 that uses the whole range of _PRECISION bits."""
    values = np.random.default_rng(0).integers(0, 1 << _PRECISION, (48, 64), dtype=np.uint16)
    values[:, :32] = np.arange(48, dtype=np.uint16)[:, None] * 85  # smooth beside noise
    values[0, :2] = 0, (1 << _PRECISION) - 1
    return values
