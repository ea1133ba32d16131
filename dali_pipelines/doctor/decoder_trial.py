"""Each decoder that a transfer syntax may meet on this machine, tried and compared value by value.

A small DICOM file goes the whole way from disk: header, codestream, decode; then every value is
compared with what was written.
"""

import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np

from dali_pipelines.decoder import Decoded, Decoder
from dali_pipelines.dicom.image import ReadOptions, read_image
from dali_pipelines.doctor.trial_files import Trial, make_trials, write_trial
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.pixel_settings import DecodeSettings
from dali_pipelines.reader import read_encoded
from dali_pipelines.recipe import Recipe
from dali_pipelines.routing import route, route_gpu
from dali_pipelines.stages import Encoded, Pixels
from dali_pipelines.storage.archive import Source
from dali_pipelines.verdicts import Flag, RejectError

Outcome = Literal["ok", "wrong", "failed", "unavailable"]

_ISOLATIONS: Final[tuple[Literal["process", "thread"], ...]] = ("process", "thread")


@dataclass(frozen=True, slots=True)
class DecoderCheck:
    """How `decoder` did on a file of one transfer syntax; `chosen` if a run uses it by default.

    `title` names the syntax for a reader and `kind` its codestream. Values may differ by
    `tolerance` from those that were written, which is 0 where nothing is lost. `proven`: the file
    can be proved complete. `by_dali_gpu`: on a GPU with a sound nvJPEG, DALI would decode it there.
    """

    syntax: str
    uid: str
    decoder: str
    chosen: bool
    outcome: Outcome
    detail: str = ""
    title: str = ""
    kind: str = ""
    tolerance: int = 0
    proven: bool = True
    by_dali_gpu: bool = False


def check_decoders(trials: Iterable[Trial] | None = None) -> tuple[DecoderCheck, ...]:
    """Each decoder that may meet a transfer syntax here, tried on a file of it."""
    checks: list[DecoderCheck] = []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as pool:
        in_children, in_threads = (
            Decoder(LoaderSettings(threads=1, isolation=isolation), Recipe("trial"), pool)
            for isolation in _ISOLATIONS
        )
        for trial in make_trials() if trials is None else trials:
            path = Path(folder, f"{trial.name}.dcm")
            write_trial(path, trial)
            checks += _check_file(trial, path, (in_children, in_threads))
        in_children.close()
        in_threads.close()
    return tuple(checks)


def _check_file(trial: Trial, path: Path, decoders: tuple[Decoder, Decoder]) -> list[DecoderCheck]:
    """One check for the decoder of a run in processes, one for that in threads if it differs."""
    in_children, in_threads = decoders
    check = DecoderCheck(trial.name, trial.uid, "reader", True, "failed", title=trial.title)
    try:
        encoded = read_encoded(read_image(Source(str(path)), bytes(32), ReadOptions()))
    except RejectError as error:
        return [replace(check, detail=str(error))]
    stream = encoded.record.stream
    where = route_gpu(stream, DecodeSettings(), sound_nvjpeg=True)
    check = replace(
        check,
        kind=stream.kind,
        tolerance=trial.tolerance,
        proven=Flag.UNPROVEN.value not in encoded.record.flags,
        by_dali_gpu=where == "gpu",
    )
    of_threads = route(stream)
    chosen = "imagecodecs" if of_threads == "dali" else of_threads
    outcome, detail = _try(chosen, in_children, encoded, trial)
    checks = [replace(check, decoder=chosen, outcome=outcome, detail=detail)]
    if of_threads != chosen:
        outcome, detail = _try(of_threads, in_threads, encoded, trial)
        checks.append(
            replace(check, decoder=of_threads, chosen=False, outcome=outcome, detail=detail)
        )
    return checks


def _try(library: str, decoder: Decoder, encoded: Encoded, trial: Trial) -> tuple[Outcome, str]:
    name = f"{library} {encoded.record.stream.kind}"
    before = decoder.counts[name]
    try:
        (result,) = decoder.decode([encoded])
    except (ImportError, OSError, RuntimeError) as error:  # its library or process does not start
        return "unavailable", f"{type(error).__name__}: {error}"
    if isinstance(result, Pixels) and decoder.counts[name] == before:
        return "failed", "it refused the codestream and its stand-in took over"
    return _judge(result, trial)


def _judge(result: Decoded, trial: Trial) -> tuple[Outcome, str]:
    if not isinstance(result, Pixels):
        return "failed", str(result)
    stored = np.asarray(result.values) >> result.shift
    if stored.shape != trial.values.shape:
        return "wrong", f"shape {stored.shape} in place of {trial.values.shape}"
    off = np.abs(stored.astype(np.int64) - trial.values)
    different = int((off > trial.tolerance).sum())
    if not different:
        return "ok", ""
    allowed = f" by more than {trial.tolerance}" if trial.tolerance else ""
    return "wrong", f"{different} of {off.size} values differ{allowed}"
