"""All that `mammo benchmark` measures: each part of the way, for each transfer syntax."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from benchmarks import decode, loader, pipeline, train_step
from benchmarks.apart import measure
from benchmarks.images import Images
from benchmarks.job import Contender, Job
from benchmarks.machine import machine_facts
from benchmarks.timing import Measurement, figures, overlap
from dali_pipelines.cores import core_count
from dali_pipelines.recipe import Recipe
from dali_pipelines.steps import choose_device
from trainer.networks.arguments import model_args
from trainer.networks.settings import ModelSettings

What = Literal["decode", "pipeline", "loader", "train-step", "all"]
MODEL: Final = "mobilenetv3_small_050"  # 0.2 s an image for a step on two cores, at 1536 x 768
# Training is shown beside what it is made of: the step alone, and the loader alone.
PARTS: Final[dict[What, tuple[str, ...]]] = {
    "decode": ("decode",),
    "pipeline": ("pipeline",),
    "loader": ("loader",),
    "train-step": ("loader", "step", "train"),
    "all": ("decode", "pipeline", "loader", "step", "train"),
}
_OPENERS: Final = {
    "decode": decode.open_pass,
    "pipeline": pipeline.open_pass,
    "loader": loader.open_pass,
    "step": train_step.open_pass,
    "train": train_step.open_fed_pass,
}


@dataclass(frozen=True, slots=True)
class SuiteSettings:
    """What to measure. `syntaxes` () are those that suit the images, `threads` 0 one a core."""

    what: What = "all"
    device: Literal["auto", "cpu", "gpu"] = "auto"
    images: Images = field(default_factory=Images)
    syntaxes: tuple[str, ...] = ()
    batch: int = 8
    threads: int = 0
    repeats: int = 5
    model: str = MODEL

    @property
    def resolved_syntaxes(self) -> tuple[str, ...]:
        """The syntaxes to measure."""
        return self.syntaxes or self.images.default_syntaxes

    @property
    def passes(self) -> int:
        """Passes in all, with the first of each, which is not timed."""
        return len(PARTS[self.what]) * len(self.resolved_syntaxes) * (self.repeats + 1)


def run_suite(
    settings: SuiteSettings, recipe: Recipe, on_pass: Callable[[], object] = lambda: None
) -> dict[str, Any]:
    """The document of one benchmark: machine, settings, a row for each part and syntax.

    Raises DeviceError where the device cannot be had, ConfigError for an unknown syntax or model,
    DatasetError where the images cannot be used.
    """
    device = choose_device(settings.device)
    settings.images.check(settings.resolved_syntaxes)
    model_args(ModelSettings(settings.model), recipe.channels, recipe.size)
    threads = settings.threads or core_count()
    rows: list[dict[str, Any]] = []
    overlaps = {}
    with tempfile.TemporaryDirectory() as scratch:
        for syntax in settings.resolved_syntaxes:
            records = settings.images.records(syntax, Path(scratch) / syntax)
            job = Job(records, recipe, settings.batch, threads, device, settings.model)
            measured = {
                part: _measure(part, job, settings.repeats, on_pass)
                for part in PARTS[settings.what]
            }
            rows += [_row(part, syntax, job, found) for part, found in measured.items()]
            if "train" in measured:
                overlaps[syntax] = _overlap(measured)
    about = _describe(settings, recipe, device, threads)
    return {"machine": machine_facts(), "settings": about, "rows": rows, "overlap": overlaps}


def _measure(part: str, job: Job, repeats: int, on_pass: Callable[[], object]) -> Measurement:
    """One part alone: on a GPU no other holds memory meanwhile."""
    contender = Contender(part, _OPENERS[part], job, loader.libraries(job))
    found = measure([contender], repeats, on_pass)[part]
    assert isinstance(found, Measurement)
    return found


def _row(part: str, syntax: str, job: Job, measured: Measurement) -> dict[str, Any]:
    facts = {"part": part, "syntax": syntax, "megapixels": round(job.megapixels, 1)}
    return facts | figures(measured, len(job.records), job.megapixels)


def _overlap(measured: dict[str, Measurement]) -> float:
    step_s, loader_s, both_s = (
        figures(measured[part], 1, 1)["img_s"]["median"] for part in ("step", "loader", "train")
    )
    return overlap(1 / step_s, 1 / loader_s, 1 / both_s)


def _describe(settings: SuiteSettings, recipe: Recipe, device: str, threads: int) -> dict[str, Any]:
    """The settings as they were resolved; no path, since results are committed."""
    images = settings.images
    return {
        "what": settings.what,
        "device": device,
        "data": "files" if images.sources else f"phantoms {images.size[0]}x{images.size[1]}",
        "images": images.count,
        "batch": settings.batch,
        "threads": threads,
        "repeats": settings.repeats,
        "recipe": recipe.name,
        "recipe_hash": recipe.hash,
        "model": settings.model,
    }
