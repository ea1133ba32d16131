"""The whole way of the data on synthetic exams: phantom to report, in a few minutes on a CPU.

Every step is the one that its own command calls. Among the inputs are three that give no image, so
that the report also shows what becomes of those.
"""

import dataclasses
import json
import shutil
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Final

from dali_pipelines.atomic import PRIVATE_MODE, replacing
from dali_pipelines.catalog.build import Catalog, CatalogSettings, plan_catalog, write_catalog
from dali_pipelines.errors import ConfigError
from dali_pipelines.identity import load_key
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.manifest import read_manifest, write_manifest
from dali_pipelines.phantom.exams import write_phantoms
from dali_pipelines.phantom.patients import PhantomSettings
from dali_pipelines.recipe import Recipe, load_recipe
from dali_pipelines.rejects.table import read_rejects
from dali_pipelines.settings import build, read_yaml
from dali_pipelines.splits import assign_folds, require_no_overlap
from trainer.augment.presets import preset_layers
from trainer.cohort import fingerprint_of
from trainer.distributed import Device
from trainer.evaluation.options import EvaluationOptions
from trainer.metrics.figures import Figures, evaluate_scores
from trainer.prediction.about import describe, write_about
from trainer.prediction.predict import Predictions, PredictOptions, predict
from trainer.prediction.scorers import Scorers, load_scorers
from trainer.report.build import ReportOptions, Sources, build_report
from trainer.report.page import Report, write_card, write_report
from trainer.report.run_facts import read_runs
from trainer.run_folder import LAST
from trainer.scores.table import rows_behind
from trainer.scores.writing import write_scores
from trainer.settings import TrainSettings
from trainer.train import RunOptions, TrainResult, train

NOTICE: Final = (
    "These images are synthetic. The scores show that the software works from end to end; they "
    "prove nothing about real mammograms or patients."
)
FOLDS: Final = 4
_MARKER: Final = "demo.json"  # a folder that holds it is a demo's, and may be written anew
_DEMO_KEY: Final = "6d616d6d6f2064656d6f" * 3  # known to all: nothing here is a patient

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class DemoSettings:
    """How large a demo; `seed` fixes the exams, the folds and the training.

    `epochs` None is for those of configs/train/demo.yaml.
    """

    phantom: PhantomSettings = field(default_factory=PhantomSettings)
    device: Device = "auto"
    epochs: int | None = None

    @property
    def seed(self) -> int:
        """The seed of everything."""
        return self.phantom.seed


@dataclass(frozen=True, slots=True)
class DemoResult:
    """Where the page is, and the figures on it."""

    report: Path
    figures: Figures
    seconds: float


def run_demo(out: Path, settings: DemoSettings, say: Say = lambda _line: None) -> DemoResult:
    """Run every step into the folder `out`; `say` gets a line when one is done.

    Raises ConfigError where `out` holds anything that is not a demo's.
    """
    start = time.monotonic()
    recipe = load_recipe("demo")
    _claim(out, settings)
    catalog = _make_inputs(out, settings, say)
    manifest = catalog.settings.manifest
    frame = assign_folds(catalog.frame, FOLDS, settings.seed)
    require_no_overlap(frame)
    write_manifest(frame, manifest)
    say(f"[3/6] split      {FOLDS} folds by patient, no patient in two of them")
    run = _train(manifest, out / "run", recipe, settings)
    if run.state == "preempted":
        raise SystemExit(128 + signal.SIGTERM)  # a demo is begun anew, not taken up
    say(f"[4/6] train      {len(run.history)} epochs, loss {run.history[-1]['train/loss']:.3f}")
    held_out = frame[frame["fold"] == 0].reset_index(drop=True)
    key = load_key(catalog.settings.key_path)
    # not the best epoch: chosen on the fold that is scored here, it would flatter the score
    scorers = load_scorers([out / "run" / LAST])
    options = PredictOptions(key, settings.device, cohort=fingerprint_of(frame))
    predictions = out / "predictions.csv"
    scores = predict(held_out, scorers, options)
    write_scores(scores.table, predictions)
    rows = rows_behind(scores.table, held_out)
    about = describe(scorers, options, scorers.aggregation, scores.counts, rows)
    write_about(about, predictions)
    figures = evaluate_scores(scores.table)
    say(
        f"[5/6] evaluate   breast AUROC {_shown(figures['breast/auroc'])} on "
        f"{figures['breast/n']} breasts, {figures['breast/npos']} with cancer (synthetic)"
    )
    report = out / "report.html"
    said = _report(catalog, scores, scorers, out / "run", settings)
    write_report(said, report)
    write_card(said, out / "MODEL_CARD.md")
    seconds = time.monotonic() - start
    say(f"[6/6] report     {report} after {seconds:.0f} s in all")
    return DemoResult(report, figures, seconds)


def _claim(out: Path, settings: DemoSettings) -> None:
    """Mark the folder as a demo's before anything else is written to it, or removed from it."""
    marker = out / _MARKER
    if out.exists() and not out.is_dir():
        raise ConfigError(f"{str(out)!r} is a file; give a folder to write the demo to")
    if out.is_dir() and any(out.iterdir()) and not marker.is_file():
        raise ConfigError(
            f"{str(out)!r} is not empty and holds no {_MARKER}; give a new folder or an older demo"
        )
    out.mkdir(parents=True, exist_ok=True)
    with replacing(marker) as aside:
        aside.write_text(json.dumps(dataclasses.asdict(settings), indent=2) + "\n")


def _make_inputs(out: Path, settings: DemoSettings, say: Say) -> Catalog:
    exams = write_phantoms(out / "phantom", settings.phantom)
    say(f"[1/6] phantom    {exams.files} DICOM files of {exams.patients} patients")
    odd = _add_odd_inputs(out / "odd", exams.images)
    with replacing(out / "manifest.key", PRIVATE_MODE) as aside:
        aside.write_text(_DEMO_KEY + "\n")
    plan = plan_catalog(
        [exams.images, odd], CatalogSettings(out / "manifest.parquet", labels=(exams.labels,))
    )
    catalog = write_catalog(plan)
    say(f"[2/6] scan       {len(catalog.frame)} images, {catalog.counts.rejected} inputs rejected")
    return catalog


def _add_odd_inputs(folder: Path, images: Path) -> Path:
    """A truncated, an empty and a text file, as any real folder has them; `folder` is a demo's."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    whole = min(images.rglob("*.dcm")).read_bytes()
    (folder / "truncated.dcm").write_bytes(whole[: len(whole) // 2])
    (folder / "empty.dcm").touch()
    (folder / "notes.txt").write_text("not an image\n")
    return folder


def _train(manifest: Path, run: Path, recipe: Recipe, settings: DemoSettings) -> TrainResult:
    own = {"seed": settings.seed} | ({"epochs": settings.epochs} if settings.epochs else {})
    with resources.as_file(resources.files("configs") / "train" / "demo.yaml") as file:
        layers = [("demo.yaml", read_yaml(file)), ("demo", own)]
    options = RunOptions(device=settings.device, resume="no")
    return train(build(TrainSettings, preset_layers(layers))[0], recipe, manifest, run, options)


def _report(
    catalog: Catalog, scores: Predictions, scorers: Scorers, run: Path, settings: DemoSettings
) -> Report:
    """The report as `mammo report` makes it of these predictions and this run."""
    rejects = [*read_rejects(catalog.settings.rejects), *scores.rejects]
    sources = Sources(
        scores=scores.table,
        scored="These are the synthetic images that were held out, scored by the last epoch.",
        evaluation=EvaluationOptions(decision=scorers.decision),
        manifest=read_manifest(catalog.settings.manifest),
        runs=read_runs(run),
        scorers=scorers,
        rejects=rejects,
        key=load_key(catalog.settings.key_path),
    )
    # one thread, as in configs/train/demo.yaml: on busy cores two are five times slower
    loader = LoaderSettings(threads=1)
    options = ReportOptions("MammoStream demo", NOTICE, device=settings.device, loader=loader)
    return build_report(sources, options)


def _shown(value: float | int | None) -> str:
    return "undefined" if value is None else f"{value:.3f}"
