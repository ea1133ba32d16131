"""`mammo evaluate`: scores and labels to figures with intervals, by level and subgroup."""

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cli.checks import finite
from cli.options import aggregate_option, json_option, seed_option
from dali_pipelines.errors import GateError
from dali_pipelines.rejects.counts import counted

if TYPE_CHECKING:
    import pandas as pd

    from trainer.aggregation.levels import Level
    from trainer.aggregation.policy import Aggregation
    from trainer.evaluation.comparison import LevelComparison
    from trainer.evaluation.evaluation import Evaluation
    from trainer.evaluation.options import EvaluationOptions

LEVELS: Final = ("image", "breast", "exam", "patient")
DEFAULT_LEVEL: Final = "breast"


def _read_by(
    _context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]
) -> tuple[str, ...]:
    """The columns of texts like "vendor,age", each once."""
    names = (name.strip() for text in texts for name in text.split(","))
    return tuple(dict.fromkeys(names))


@click.command()
@click.argument("predictions", type=click.Path(path_type=Path))
@click.option(
    "--manifest", type=click.Path(path_type=Path),
    help="Where the labels come from, and what --by splits by.",
)  # fmt: skip
@click.option(
    "--by", multiple=True, metavar="COLUMNS", callback=_read_by,
    help="Also the figures of each site, dataset, vendor, model, density, age, implant, view, "
    "laterality or fold.",
)  # fmt: skip
@aggregate_option
@click.option(
    "--threshold", type=click.FloatRange(0, 1), callback=finite,
    show_default="that of the predictions, on its level",
    help="The score from which on a row is a finding.",
)  # fmt: skip
@click.option(
    "--against", type=click.Path(path_type=Path), metavar="OTHER",
    help="Predictions of the same images by another model, to compare with.",
)  # fmt: skip
@click.option(
    "--bootstrap", "repeats", type=click.IntRange(min=0), default=1000,
    help="Draws of patients that intervals are made from; 0 for none.",
)  # fmt: skip
@seed_option("Of the draws.")
@click.option(
    "--curves", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Write ROC, precision-recall and calibration curves there, as CSV and PNG.",
)  # fmt: skip
@click.option(
    "--level", type=click.Choice(LEVELS), show_default=DEFAULT_LEVEL,
    help="What --by, --against and the gates are about; its column is always printed.",
)  # fmt: skip
@click.option(
    "--min-auroc", type=click.FloatRange(0, 1), callback=finite,
    help="Leave with 5 if the AUROC is below this, or of images that were trained on.",
)  # fmt: skip
@click.option(
    "--min-auroc-low", type=click.FloatRange(0, 1), callback=finite,
    help="The same of the low end of its interval.",
)  # fmt: skip
@json_option
def command(
    *,
    predictions: Path,
    manifest: Path | None,
    against: Path | None,
    curves: Path | None,
    how: "Aggregation | None",
    level: "Level | None",
    min_auroc: float | None,
    min_auroc_low: float | None,
    as_json: bool,
    **taken: Any,
) -> None:
    r"""Print AUROC, pF1, sensitivity and more of a predictions file, with intervals.

    \b
    mammo evaluate predictions.csv
    mammo evaluate runs/all/oof.csv --manifest train.parquet --by vendor,density,age
    mammo evaluate new.csv --against old.csv --level patient

    PREDICTIONS is what `mammo predict` wrote, or the oof.csv of a run or an ensemble. The threshold
    is the one beside it, in OUT_about.json or what `mammo train` or `mammo ensemble` wrote; where
    it was chosen on these scores, that is said. Intervals are drawn from patients, each with all
    her images; calibration errors (ece) have none, as every draw only raises them. "-" is a figure
    that the data do not define, null in JSON.
    Columns of --by other than view, laterality and fold come from --manifest. Each subgroup is
    evaluated as if its images were all there are: of the view CC, a breast is its CC images.

    --min-auroc judges the figure itself, which a small set may reach by luck; --min-auroc-low
    passes only what is above the bound beyond that.
    """
    from trainer.evaluation.comparison import compare
    from trainer.evaluation.evaluate import evaluate
    from trainer.evaluation.options import EvaluationOptions
    from trainer.evaluation.stored_choices import with_choices
    from trainer.scores.reading import read_predictions

    if min_auroc_low is not None and not taken["repeats"]:
        raise click.UsageError("--min-auroc-low needs the intervals that --bootstrap 0 leaves out")
    level = level or DEFAULT_LEVEL
    given = EvaluationOptions(by_levels=(level,), **taken)
    options = with_choices(given, predictions, how)
    scores = _read(predictions, manifest)
    trained = _count_trained(predictions, len(scores))
    evaluation = evaluate(scores, options)
    document = {**evaluation.to_dict(), "trained_on": trained}
    compared = None
    if against is not None:
        others = read_predictions(against)
        document["against_trained_on"] = _count_trained(against, len(others), " by the other model")
        other = with_choices(given, against, how)
        compared = compare(scores, others, replace(options, levels=(level,)), other)
        document["against"] = {name: found.to_dict() for name, found in compared.items()}
    click.echo(json.dumps(document, indent=2) if as_json else _text(evaluation, compared, level))
    if curves is not None:
        _write_curves(scores, options, curves)
    if min_auroc is not None or min_auroc_low is not None:
        _require_unseen(trained, len(scores))
        _require_auroc(evaluation, level, min_auroc, min_auroc_low)


def _read(predictions: Path, manifest: Path | None) -> "pd.DataFrame":
    """The scores with what the manifest says, and a warning where their labels say otherwise."""
    from dali_pipelines.manifest import read_manifest
    from trainer.evaluation.joining import join_manifest
    from trainer.scores.reading import read_predictions

    scores = read_predictions(predictions)
    if manifest is None:
        return scores
    joined = join_manifest(scores, read_manifest(manifest))
    if "cancer" in scores.columns:
        known, now = scores["cancer"].notna(), joined["cancer"]
        changed = int((known & (now.isna() | (scores["cancer"] != now)).fillna(True)).sum())
        if changed:
            click.echo(
                f"warning: {counted(changed, 'label')} of the predictions differ from those of the "
                "manifest, or are unknown there; the manifest's are taken",
                err=True,
            )
    return joined


def _count_trained(predictions: Path, images: int, by: str = "") -> int | None:
    """How many of the images were trained on, None if unknown, and a warning where any was."""
    from trainer.evaluation.stored_choices import count_trained

    trained = count_trained(predictions)
    if trained:
        click.echo(
            f"warning: {trained:,} of {counted(images, 'image')} were trained on{by}: the figures "
            "flatter",
            err=True,
        )
    return trained


def _text(
    evaluation: "Evaluation", compared: "dict[Level, LevelComparison] | None", level: "Level"
) -> str:
    from cli.comparison_text import comparison_text
    from cli.evaluation_text import evaluation_text

    parts = [evaluation_text(evaluation, level)]
    if compared is not None:
        parts.append(comparison_text(compared[level], level))
    return "\n\n".join(parts)


def _write_curves(scores: "pd.DataFrame", options: "EvaluationOptions", folder: Path) -> None:
    from trainer.evaluation.curve_files import write_curves

    files = write_curves(scores, options, folder)
    click.echo(f"{counted(len(files), 'file')} of curves in {str(folder)!r}", err=True)


def _require_unseen(trained: int | None, images: int) -> None:
    """Raise GateError where images were trained on, of which no gate can judge a network."""
    if trained:
        raise GateError(
            f"{trained:,} of {counted(images, 'image')} were trained on, so that no gate can pass; "
            "judge images that the network never saw, or predict with --out-of-fold"
        )


def _require_auroc(
    evaluation: "Evaluation", level: "Level", wanted: float | None, wanted_low: float | None
) -> None:
    """Raise GateError where the AUROC of the level, or the low end of its interval, is too low."""
    found = evaluation.levels[level]
    interval = found.intervals["auroc"]
    gates = (
        ("AUROC", "--min-auroc", found.figures["auroc"], wanted),
        ("AUROC's low end", "--min-auroc-low", interval.low if interval else None, wanted_low),
    )
    for name, option, value, least in gates:
        if least is not None and (value is None or value < least):
            shown = "undefined" if value is None else f"{value:.4f}"
            raise GateError(f"the {level} {name} is {shown}, below {option} {least}")
