"""`mammo evaluate`: scores and labels to figures on images, breasts and patients."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from cli.checks import finite
from cli.options import json_option
from dali_pipelines.errors import DatasetError, GateError

if TYPE_CHECKING:
    import pandas as pd

LEVELS: Final = ("image", "breast", "patient")
DEFAULT_LEVEL: Final = "breast"


@click.command()
@click.argument("predictions", type=click.Path(path_type=Path))
@click.option(
    "--labels", type=click.Path(path_type=Path), metavar="MANIFEST",
    help="A manifest with labels, where the predictions have none.",
)  # fmt: skip
@click.option(
    "--min-auroc", type=click.FloatRange(0, 1), callback=finite,
    help="Leave with 5 if the AUROC is below this.",
)  # fmt: skip
@click.option(
    "--level", type=click.Choice(LEVELS), show_default=DEFAULT_LEVEL,
    help="What --min-auroc judges.",
)  # fmt: skip
@json_option
def command(
    *,
    predictions: Path,
    labels: Path | None,
    min_auroc: float | None,
    level: str | None,
    as_json: bool,
) -> None:
    r"""Print AUROC, pF1, sensitivity and more of a predictions file, by level.

    \b
    mammo evaluate predictions.csv

    A breast's score is the mean of its images, a patient's the greatest of the breasts. A figure
    that one class alone cannot define is shown as "-", and null in JSON.
    """
    from trainer.metrics.figures import evaluate_scores
    from trainer.scores.table import read_predictions

    if level is not None and min_auroc is None:
        raise click.UsageError("--level needs --min-auroc")
    scores = read_predictions(predictions)
    if labels is not None:
        scores = scores.assign(cancer=_labels_of(scores, labels))
    figures = evaluate_scores(scores)
    click.echo(json.dumps(figures, indent=2) if as_json else _table(figures))
    _require_auroc(figures, level or DEFAULT_LEVEL, min_auroc)


def _labels_of(scores: "pd.DataFrame", manifest: Path) -> "pd.Series":
    """The label of each image, found by its keyed id, or by its raw one."""
    import pandas as pd

    from dali_pipelines.manifest import read_manifest
    from trainer.scores.table import raw_ids

    frame = read_manifest(manifest)
    if "cancer" not in frame.columns:
        raise DatasetError(
            f"the manifest {str(manifest)!r} has no labels (column 'cancer'); scan with "
            "--adapter auto, or --labels TABLE"
        )
    for names in (frame["image_id"], raw_ids(frame)):
        known = pd.Series(frame["cancer"].array, index=names)
        if scores["image_id"].isin(known.index).all():
            return scores["image_id"].map(known)
    found = int(scores["image_id"].isin(frame["image_id"]).sum())
    raise DatasetError(
        f"{len(scores) - found} of {len(scores)} predicted images are not in the manifest "
        f"{str(manifest)!r}; name the one they were predicted from"
    )


def _require_auroc(
    figures: Mapping[str, float | int | None], level: str, wanted: float | None
) -> None:
    found = figures[f"{level}/auroc"]
    if wanted is not None and (found is None or found < wanted):
        shown = "undefined" if found is None else f"{found:.4f}"
        raise GateError(f"the {level} AUROC is {shown}, below --min-auroc {wanted}")


def _table(figures: Mapping[str, float | int | None]) -> str:
    """One line a figure, one column a level."""
    names = [name.partition("/")[2] for name in figures if name.startswith("image/")]
    lines = [f"{'':16}" + "".join(f"{level:>10}" for level in LEVELS)]
    for name in names:
        cells = (_cell(figures[f"{level}/{name}"]) for level in LEVELS)
        lines.append(f"{name:16}" + "".join(f"{cell:>10}" for cell in cells))
    return "\n".join(lines)


def _cell(value: float | int | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}"
