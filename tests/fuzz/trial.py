"""One file goes the whole way: scan, reader, decoder in a child, grayscale; and what must hold."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType

import numpy as np

from dali_pipelines.dicom.image import read_images
from dali_pipelines.errors import MammoError
from dali_pipelines.isolation.isolated_decoder import IsolatedDecoder
from dali_pipelines.pixel_settings import DecodeSettings, ResizeSettings
from dali_pipelines.reader import read_encoded
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.shading import image_shading
from dali_pipelines.stages import Pixels
from dali_pipelines.steps import load_steps
from dali_pipelines.storage.archive import Source, list_members
from dali_pipelines.verdicts import Reason, RejectError
from tests.fuzz.corpus import KEY, OPTIONS
from tests.fuzz.mutants import FrameChoice

LIMIT_S = 20.0  # for one way of one mutant, in this process; the child has its own limit
GRAVE = {Reason.DECODER_CRASH, Reason.TIMEOUT, Reason.OUT_OF_MEMORY}
RECIPE = Recipe("any", resize=ResizeSettings(size=(16, 12)))
REDUCED = replace(RECIPE, decode=DecodeSettings(reduce="auto"))


class Hang(BaseException):
    """This process did not come to a verdict within LIMIT_S; no `except Exception` stops it."""


@dataclass(frozen=True)
class Outcome:
    """How a file ended: `code`, and the picture where that is "image".

    `values` (images, H, W) are those of all `records`. `finding` says what ought not to be, ""
    where all is well; `costly`: it cost a child.
    """

    code: str
    records: tuple[ImageRecord, ...] = ()
    values: np.ndarray | None = None
    finding: str = ""
    costly: bool = False

    def same_picture(self, other: "Outcome") -> bool:
        """Whether both have pixels, and the same ones."""
        if self.values is None or other.values is None:
            return False
        return np.array_equal(self.values, other.values)


def travel(
    source: Source, decoder: IsolatedDecoder, *, hashed: bool, frames: FrameChoice = "error"
) -> Outcome:
    """The outcome of one file: nothing that it holds may make this raise."""
    records: tuple[ImageRecord, ...] = ()
    try:
        with _alarm():
            records = read_images(source, KEY, replace(OPTIONS, hash=hashed, frames=frames))
            pictures = [_picture(record, decoder) for record in records]
            if hashed:
                _reduce(records[0], decoder)
    except RejectError as error:
        return _rejected(error, records, source)
    except MammoError as error:
        return Outcome("error of the run", records, finding=f"{type(error).__name__}: {error}")
    except Hang:
        return Outcome("hang", records, finding=f"no verdict within {LIMIT_S:g} s")
    except Exception as error:  # noqa: BLE001 - this is what the fuzzer looks for
        return Outcome("exception", records, finding=f"{type(error).__name__}: {error}")
    return _pictured(records, pictures)


def _picture(record: ImageRecord, decoder: IsolatedDecoder) -> Pixels:
    """The stored values, after all steps of the CPU on them ended well."""
    pixels = decoder.decode(read_encoded(record, verify=False), RECIPE)
    out = np.zeros((1, RECIPE.channels, *RECIPE.size), np.float32)
    shading = image_shading(record, RECIPE)
    load_steps("cpu").prepare([pixels], [shading], RECIPE, out)
    if not np.isfinite(out).all():
        raise ArithmeticError("a prepared image has values that are not finite")
    return pixels


def _reduce(record: ImageRecord, decoder: IsolatedDecoder) -> None:
    """The same codestream at a lower resolution, which may refuse it."""
    if record.stream.kind in {"j2k", "htj2k"}:
        try:
            decoder.decode(read_encoded(record, verify=False), REDUCED)
        except RejectError as error:
            if error.reason in {*GRAVE, Reason.UNEXPECTED}:
                raise


def sources_of(path: Path, *, zipped: bool) -> list[Source] | str:
    """What the walk finds in the file, or the code that it ends with."""
    if not zipped:
        return [Source(str(path))]
    try:
        return [Source(str(path), member) for member in list_members(path)]
    except RejectError as error:
        return error.reason.value


def _rejected(error: RejectError, records: tuple[ImageRecord, ...], source: Source) -> Outcome:
    finding = ""
    if error.reason is Reason.UNEXPECTED:
        finding = f"{error}"
    if source.path in error.detail or len(error.detail) > 400 or "\n" in error.detail:
        finding = f"a detail that ought not to be: {error.detail[:200]!r}"
    costly = error.reason in GRAVE
    return Outcome(error.reason.value, records, finding=finding, costly=costly)


def _pictured(records: tuple[ImageRecord, ...], pictures: list[Pixels]) -> Outcome:
    finding = ""
    for record, pixels in zip(records, pictures, strict=True):
        values = np.asarray(pixels.values)
        if values.shape != (record.tags.rows, record.tags.columns) or values.dtype != np.uint16:
            finding = f"a picture of {values.shape} {values.dtype}"
        elif pixels.shift == 0 and int(values.max()) >> record.grayscale.bits:
            finding = f"value {values.max()} above {record.grayscale.bits} bits"
    return Outcome("image", records, np.stack([p.values for p in pictures]), finding)


@contextmanager
def _alarm() -> Iterator[None]:
    def ring(_number: int, _frame: FrameType | None) -> None:
        raise Hang

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, LIMIT_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
