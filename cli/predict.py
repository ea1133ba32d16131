"""`mammo predict`: checkpoints and images to scores per image, breast, exam and patient."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cli.checks import require_apart, require_own_rejects
from cli.ending import print_result, say_verdicts
from cli.members_option import MembersCommand, parse_weights
from cli.options import (
    aggregate_option,
    batch_option,
    device_option,
    id_key_option,
    ids_option,
    json_option,
    max_rejects_option,
    nproc_option,
    read_options,
    review_option,
    shards_option,
    sources_argument,
)
from cli.prediction_files import (
    FORMATS,
    Target,
    find_target,
    read_images,
    require_possible,
    write_predictions,
)
from trainer.ranks import is_rank

if TYPE_CHECKING:
    from dali_pipelines.rejects.limits import RejectLimit
    from dali_pipelines.review import Review
    from dali_pipelines.shards.shard_set import ShardSet
    from trainer.aggregation.policy import Aggregation
    from trainer.prediction.inputs import Inputs
    from trainer.prediction.predict import Predictions, PredictOptions
    from trainer.prediction.scorers import Scorers
    from trainer.prediction.tta import Tta

PREEMPTED: Final = 75
_GOES_ON: Final = "stopped; the same command goes on from here"
_SCORING: Final = ("device", "batch", "tta", "out_of_fold", "resume")  # as in PredictOptions


def _parse_tta(_context: click.Context, _parameter: click.Parameter, text: str) -> "Tta":
    from trainer.prediction.tta import parse_tta

    return parse_tta(text)


@click.command(cls=MembersCommand)
@sources_argument
@click.option(
    "--ckpt", "checkpoints", multiple=True, required=True, type=click.Path(path_type=Path),
    metavar="CKPT...",
    help="Checkpoints, model.safetensors, run directories, or one ensemble file.",
)  # fmt: skip
@click.option(
    "-O", "--out", type=click.Path(dir_okay=False, path_type=Path),
    show_default="predictions.csv",
    help="The table per image; breasts, exams and patients come beside it.",
)  # fmt: skip
@click.option(
    "--format", "kind", type=click.Choice(FORMATS), show_default="as OUT ends",
    help="What is written, and how OUT must end; rsna and spr are files to submit, in .csv.",
)  # fmt: skip
@click.option(
    "--combine", type=click.Choice(["prob", "logit", "rank"]), show_default="prob",
    help="Of which numbers of the members the mean is taken.",
)  # fmt: skip
@click.option(
    "--weights", metavar="W,W...", callback=parse_weights, show_default="equal",
    help="How much each member counts.",
)  # fmt: skip
@click.option(
    "--out-of-fold", is_flag=True,
    help="Score each image by those members alone that held its fold out.",
)  # fmt: skip
@click.option(
    "--tta", metavar="CHANGES", callback=_parse_tta, default="", show_default="none",
    help="Also score changed images: hflip, vflip, scale=0.9, crop=0.9, hflip+vflip.",
)  # fmt: skip
@aggregate_option
@click.option("--fold", type=int, help="Score only this fold of the manifest.")
@shards_option("Read the images that `mammo preprocess` made of the manifest.")
@click.option("--recipe", help="Stop unless the checkpoints learned from this recipe.")
@review_option
@ids_option
@id_key_option("beside the manifest, else beside OUT; suffix .key")
@click.option(
    "--like", type=click.Path(dir_okay=False, path_type=Path), metavar="CSV",
    help="With rsna or spr: the sample submission or test table, whose rows are wanted.",
)  # fmt: skip
@click.option(
    "--submit", "column", type=click.Choice(["prob", "risk", "positive"]), show_default="prob",
    help="With rsna or spr: the score, the calibrated risk, or 0 and 1.",
)  # fmt: skip
@click.option(
    "--prior", type=click.FloatRange(0, 1), show_default="the competition's",
    help="With rsna or spr: what a row says that has no image.",
)  # fmt: skip
@read_options
@batch_option
@nproc_option
@device_option()
@click.option(
    "--resume", type=click.Choice(["auto", "no"]), default="auto",
    help="Go on with what OUT_unfinished holds, or drop it and start over.",
)  # fmt: skip
@max_rejects_option()
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    sources: tuple[Path, ...],
    checkpoints: tuple[Path, ...],
    out: Path | None,
    kind: str | None,
    combine: Any,
    weights: tuple[float, ...],
    how: "Aggregation | None",
    fold: int | None,
    shards: "ShardSet | None",
    recipe: str | None,
    review: "Review | None",
    ids: str,
    id_key: Path | None,
    like: Path | None,
    column: str | None,
    prior: float | None,
    nproc: int,
    limit: "RejectLimit",
    as_json: bool,
    **taken: Any,
) -> None:
    r"""Score the images of a manifest, or of DICOM files and folders.

    \b
    mammo predict train.parquet --ckpt runs/first --fold 0 -O predictions.csv
    mammo predict one_exam/ --ckpt fold0.pt fold1.pt --tta hflip
    mammo predict train.parquet --ckpt runs/all --out-of-fold
    mammo predict test.parquet --ckpt ensemble.json --format rsna -O submission.csv --nproc 8

    The pixels are prepared by the recipe in the checkpoint; members with several recipes share the
    decoding. Images without a score are rows of OUT's _rejects.csv; inputs that are no images of
    ours do not count towards --max-rejects.

    Blocks that are scored are kept in OUT_unfinished until OUT is written: after a death, or
    SIGTERM (which leaves with 75), the same command goes on, and OUT is the same to the byte.

    A checkpoint that learned with --review cuts all images by its recipe's method, with a warning,
    unless it is given the same table again: do so to score images that the table names.
    """
    target = find_target(out, kind, like, column, prior)
    require_apart(target.files(), [*sources, *checkpoints, id_key, like])
    require_own_rejects(target.out)
    from dali_pipelines.recipe import load_recipe
    from trainer.prediction.scorers import load_scorers

    wanted = load_recipe(recipe) if recipe else None
    scorers = _prepared_by(load_scorers(checkpoints, wanted, combine, weights), review, shards)
    how = how or scorers.aggregation
    require_possible(target, scorers, how)
    if nproc > 1 and not is_rank():  # a mistake above is said once
        from trainer.launch import launch

        ctx.exit(launch(ctx.find_root().obj, nproc))
    from cli.watched import PREDICT, open_together, read_watched
    from trainer.prediction.predict import PredictOptions
    from trainer.prediction.unfinished import unfinished_beside

    options = PredictOptions(
        **{name: taken.pop(name) for name in _SCORING},
        unfinished=unfinished_beside(target.out),
        open_source=partial(open_together, phases=PREDICT, review=review, shards=shards),
    )
    read = partial(read_watched, sources, target.out, fold, id_key, **taken)
    read = partial(read_images, target, how, read)
    inputs, options, predictions = _score(scorers, options, read, is_keyed=ids == "keyed")
    if predictions.state == "preempted":
        if predictions.is_main:
            click.echo(_GOES_ON, err=True)
        ctx.exit(PREEMPTED)
    if predictions.is_main:
        facts = write_predictions(target, inputs, scorers, options, predictions, how)
        _say(target, inputs, predictions, facts, limit, as_json=as_json)


def _prepared_by(
    scorers: "Scorers", review: "Review | None", shards: "ShardSet | None"
) -> "Scorers":
    """The scorers with their recipes as reviewed; ConfigError where shards are of another one."""
    if shards is None or review is not None:  # shards were cut by their table
        scorers = scorers.reviewed(review)
    if shards is not None:
        for recipe in scorers.recipes:
            shards.require_recipe(recipe)
    return scorers


def _score(
    scorers: "Scorers", options: "PredictOptions", read: "Callable[[], Inputs]", *, is_keyed: bool
) -> "tuple[Inputs, PredictOptions, Predictions]":
    """What was read, how it was scored, and what came of it; all ranks call it."""
    from trainer.distributed import join_world
    from trainer.prediction.inputs import read_shared
    from trainer.prediction.predict import PATIENCE, predict
    from trainer.prediction.trained_on import warn_of_training

    with join_world(options.device, PATIENCE) as world:
        inputs = read_shared(world, read)
        key = inputs.key if is_keyed else None
        options = replace(options, key=key, cohort=inputs.cohort)
        if world.is_main and not options.out_of_fold:
            warn_of_training(inputs.frame, inputs.cohort, scorers)
        try:
            return inputs, options, predict(inputs.frame, scorers, options)
        except KeyboardInterrupt:
            if world.is_main:
                click.echo(_GOES_ON, err=True)
            raise


def _say(
    target: Target,
    inputs: "Inputs",
    predictions: "Predictions",
    facts: dict[str, Any],
    limit: "RejectLimit",
    *,
    as_json: bool,
) -> None:
    """Count the verdicts on what was read and scored, and print the result."""
    from dali_pipelines.rejects.table import rejects_beside

    counts = predictions.counts.and_rejects(inputs.rejects)
    say_verdicts(counts, rejects_beside(target.out))
    lost = (inputs.lost + len(predictions.rejects), inputs.lost + len(inputs.frame))
    print_result(facts, target.out, limit, lost, as_json=as_json)
