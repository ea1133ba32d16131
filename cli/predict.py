"""`mammo predict`: checkpoints and images to scores per image, breast and patient."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.checks import ends_in, require_apart, require_own_rejects
from cli.ending import print_result, say_verdicts
from cli.options import (
    batch_option,
    device_option,
    id_key_option,
    json_option,
    max_rejects_option,
    read_options,
    review_option,
    shards_option,
)
from dali_pipelines.errors import DatasetError

if TYPE_CHECKING:
    from dali_pipelines.rejects.limits import RejectLimit
    from dali_pipelines.review import Review
    from dali_pipelines.shards.shard_set import ShardSet
    from trainer.prediction.inputs import Inputs
    from trainer.prediction.predict import Predictions


@click.command()
@click.argument(
    "sources", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="MANIFEST|DICOM..."
)
@click.option(
    "--ckpt", "checkpoints", multiple=True, required=True, type=click.Path(path_type=Path),
    help="A checkpoint; several are averaged.",
)  # fmt: skip
@click.option(
    "-O", "--out", default="predictions.csv", type=click.Path(dir_okay=False, path_type=Path),
    callback=ends_in(".csv"),
    help="The table per image; breasts and patients come beside it.",
)  # fmt: skip
@click.option("--fold", type=int, help="Score only this fold of the manifest.")
@shards_option("Read the images that `mammo preprocess` made of the manifest.")
@click.option("--recipe", help="Stop unless the checkpoint learned from this recipe.")
@review_option
@click.option(
    "--ids", type=click.Choice(["keyed", "raw"]), default="keyed",
    help="Name images and patients by keyed hashes, or as the header does.",
)  # fmt: skip
@id_key_option("beside the manifest, else beside OUT; suffix .key")
@read_options
@batch_option
@device_option()
@max_rejects_option()
@json_option
def command(
    *,
    sources: tuple[Path, ...],
    checkpoints: tuple[Path, ...],
    out: Path,
    fold: int | None,
    shards: "ShardSet | None",
    recipe: str | None,
    review: "Review | None",
    ids: str,
    id_key: Path | None,
    batch: int,
    device: Any,
    limit: "RejectLimit",
    as_json: bool,
    **taken: Any,
) -> None:
    r"""Score the images of a manifest, or of DICOM files and folders.

    \b
    mammo predict train.parquet --ckpt runs/first/ckpt/best.pt --fold 0 -O predictions.csv
    mammo predict one_exam/ --ckpt fold0.pt --ckpt fold1.pt

    The pixels are prepared by the recipe in the checkpoint. Images without a score are rows of
    OUT's _rejects.csv; inputs that are no images of ours do not count towards --max-rejects.

    A checkpoint that learned with --review cuts all images by its recipe's method, with a warning,
    unless it is given the same table again: do so to score images that the table names.
    """
    from cli.watched import PREDICT, open_watched, read_watched
    from dali_pipelines.recipe import load_recipe
    from dali_pipelines.review import reviewed_recipe
    from trainer.prediction.predict import PredictOptions, load_scorer, predict

    require_apart(_tables(out), [*sources, *checkpoints, id_key])
    require_own_rejects(out)
    scorer = load_scorer(checkpoints, load_recipe(recipe) if recipe else None)
    if shards is None or review is not None:  # shards were cut by their table
        scorer = replace(scorer, recipe=reviewed_recipe(scorer.recipe, review))
    if shards is not None:
        shards.require_recipe(scorer.recipe)
    inputs = read_watched(sources, out, fold, id_key, **taken)
    key = inputs.key if ids == "keyed" else None
    source = partial(open_watched, phases=PREDICT, review=review, shards=shards)
    options = PredictOptions(key, device, batch, open_source=source)
    predictions = predict(inputs.frame, scorer, options)
    if predictions.is_main:
        _conclude(inputs, predictions, out, limit, as_json=as_json)


def _conclude(
    inputs: "Inputs", predictions: "Predictions", out: Path, limit: "RejectLimit", *, as_json: bool
) -> None:
    """Write the tables, count the verdicts on what was read and scored, and print the result."""
    from dali_pipelines.rejects.table import rejects_beside
    from trainer.scores.table import write_tables

    facts = write_tables(predictions.table, [*inputs.rejects, *predictions.rejects], out)
    counts = predictions.counts.and_rejects(inputs.rejects)
    if inputs.frame.empty:
        raise DatasetError(f"no image among {counts.line(rejects_beside(out))}")
    say_verdicts(counts, rejects_beside(out))
    lost = (inputs.lost + len(predictions.rejects), inputs.lost + len(inputs.frame))
    print_result(facts, out, limit, lost, as_json=as_json)


def _tables(out: Path) -> list[Path]:
    """All that is written."""
    from dali_pipelines.rejects.table import rejects_beside
    from trainer.scores.table import beside

    return [out, beside(out, "breast"), beside(out, "patient"), rejects_beside(out)]
