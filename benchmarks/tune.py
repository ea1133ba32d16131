"""Which loader settings suit this machine: one is changed at a time, and what helps is kept."""

import dataclasses
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks.images import STORED, Images
from benchmarks.passes import RunPass, img_s
from benchmarks.timing import round_off
from dali_pipelines.errors import DatasetError
from dali_pipelines.loader import Loader
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.plan import sequential_blocks
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.steps import Device

GAIN: Final = 1.03  # what a setting must bring: passes of a few seconds differ by 1 or 2 percent
SYNTAXES: Final = ("j2k", "jpeg_sv1")  # what most archives hold, and what decodes least alike
SIZE: Final = (3328, 2560)
COUNT: Final[dict[Device, int]] = {"cpu": 8, "gpu": 64}  # images of a pass: 1 to 3 seconds
_ROUNDS: Final = 2  # of the default and the best settings at the end
Choices = Mapping[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class Trial:
    """The images a second of one setting, by name of what was read (a transfer syntax)."""

    settings: LoaderSettings
    img_s: Mapping[str, float]

    @property
    def score(self) -> float:
        """The geometric mean, so that doubling any of the rates counts the same."""
        return statistics.geometric_mean(self.img_s.values())


@dataclass(frozen=True, slots=True)
class Tuning:
    """All trials in their order, then the default and the best settings, measured in turns."""

    trials: tuple[Trial, ...]
    before: Trial
    after: Trial

    @property
    def gain(self) -> float:
        """How many times as fast the best settings are."""
        return round_off(self.after.score / self.before.score)

    @property
    def changes(self) -> dict[str, Any]:
        """The settings that are to be set, by name; none where they did not help in the end."""
        if self.gain < GAIN:
            return {}
        plain = dataclasses.asdict(LoaderSettings())
        best = dataclasses.asdict(self.after.settings)
        return {name: value for name, value in best.items() if value != plain[name]}


@dataclass(frozen=True, slots=True)
class Bench:
    """What a setting is tried on: images by name, `batch` at a time, under one recipe."""

    images: Mapping[str, Sequence[ImageRecord]]
    recipe: Recipe
    device: Device
    batch: int = 8
    repeats: int = 2

    def trial(self, settings: LoaderSettings) -> Trial:
        """The median rate of each group of images; DatasetError where an image gives no tensor."""
        return Trial(
            settings,
            {
                name: round_off(statistics.median(self.rates(records, settings)))
                for name, records in self.images.items()
            },
        )

    def rates(self, records: Sequence[ImageRecord], settings: LoaderSettings) -> list[float]:
        """Images a second of each pass of one loader, after one that is not timed."""
        with self.open_pass(records, settings) as run:
            return img_s(run, len(records), self.repeats)

    @contextmanager
    def open_pass(
        self, records: Sequence[ImageRecord], settings: LoaderSettings
    ) -> Iterator[RunPass]:
        """A pass of one loader, which stays open from pass to pass as in training."""
        with Loader(records, self.recipe, settings, self.device) as loader:
            yield partial(self._pass, loader)

    def _pass(self, loader: Loader) -> None:
        done = 0
        for batch in loader.run(sequential_blocks(len(loader.records), self.batch)):
            done += int(batch.valid.sum())
        if self.device == "gpu":
            _wait_for_gpu()
        if done != len(loader.records):
            raise DatasetError(
                f"{len(loader.records) - done} of {len(loader.records)} images gave no tensor; "
                "tune on files that `mammo preprocess` takes"
            )


def find_images(
    sources: Sequence[Path], device: Device, scratch: Path
) -> dict[str, Sequence[ImageRecord]]:
    """What to tune on: the first images there, or, without sources, phantoms in two syntaxes.

    Errors as those of `Images`.
    """
    images = Images(tuple(sources), SIZE, COUNT[device])
    syntaxes = (STORED,) if sources else SYNTAXES
    images.check(syntaxes)
    return {syntax: images.records(syntax, scratch / syntax) for syntax in syntaxes}


def choices(cores: int, images: int, device: Device) -> dict[str, list[Any]]:
    """What may be tried of each setting, on so many cores and images; the default comes first.

    Batches of more images than there are would be no other setting.
    """
    threads = {max(1, cores // 2), 2 * cores} if cores < 8 else {4, 8, 16} - {cores}
    tried: dict[str, list[Any]] = {
        "threads": sorted(threads - {cores}),
        "batch": [size for size in (8, 16, 32) if size < images],
        "readers": [n for n in (1, 4, 8) if n <= 2 * cores],
        "prefetch": [1, 4],
    }
    if device == "cpu":
        tried["isolation"] = ["thread", "process"]
    plain = dataclasses.asdict(LoaderSettings())
    return {name: list(dict.fromkeys([plain[name], *tried[name]])) for name in tried}


def descend(
    measure: Callable[[LoaderSettings], Trial],
    options: Choices,
    on_trial: Callable[[Trial], object] = lambda _trial: None,
) -> tuple[list[Trial], LoaderSettings]:
    """A trial of the default and of each setting that is tried, and the settings it ends with.

    Settings come in the order of `options`. One is kept if it brings GAIN times the rate of those
    that it varies, also where they are measured again: the machine may have become faster.
    """
    best = measure(LoaderSettings())
    trials = [best]
    on_trial(best)
    for name, values in options.items():
        start = best.settings
        for value in values:
            if value == getattr(start, name):
                continue
            trial = measure(dataclasses.replace(start, **{name: value}))
            trials.append(trial)
            on_trial(trial)
            if trial.score > GAIN * best.score:
                again = measure(best.settings)
                best = trial if trial.score > GAIN * again.score else again
    return trials, best.settings


def tune(
    bench: Bench, options: Choices, on_trial: Callable[[Trial], object] = lambda _trial: None
) -> Tuning:
    """Descend, then measure the default and the best settings once more, in turns.

    What was the best of many trials looked better than it is; the last two rates do not.
    """
    trials, best = descend(bench.trial, options, on_trial)
    pairs: list[tuple[Trial, Trial]] = []
    for _ in range(_ROUNDS):
        before = bench.trial(LoaderSettings())
        after = bench.trial(best) if best != LoaderSettings() else before
        pairs.append((before, after))
        on_trial(after)
    return Tuning(
        tuple(trials), _mean([before for before, _ in pairs]), _mean([after for _, after in pairs])
    )


def trial_count(options: Choices) -> int:
    """How many times `tune` calls `on_trial`."""
    return 1 + sum(len(values) - 1 for values in options.values()) + _ROUNDS


def _mean(trials: Sequence[Trial]) -> Trial:
    names = trials[0].img_s
    rates = {name: statistics.fmean(trial.img_s[name] for trial in trials) for name in names}
    return Trial(trials[0].settings, {name: round_off(rate) for name, rate in rates.items()})


def _wait_for_gpu() -> None:
    import torch  # noqa: PLC0415 - 1 s to import

    if torch.cuda.is_available():
        torch.cuda.synchronize()
