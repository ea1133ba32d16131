"""`mammo train`: a manifest with labels and folds to checkpoints."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from cli.ending import say_verdicts
from cli.logs import rank
from cli.options import (
    config_option,
    device_option,
    json_option,
    manifest_argument,
    max_rejects_option,
    nproc_option,
    recipe_option,
    review_option,
    seed_option,
    set_option,
    shards_option,
)
from trainer.ranks import is_rank

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dali_pipelines.recipe import Recipe
    from dali_pipelines.rejects.limits import RejectLimit
    from dali_pipelines.review import Review
    from dali_pipelines.shards.shard_set import ShardSet
    from trainer.folds import CrossResult
    from trainer.train import TrainResult

PREEMPTED: Final = 75
ALL: Final = "all"


def _read_fold(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> int | str | None:
    """A fold's number, ALL, or None where nothing is said."""
    if text is None or text == ALL:
        return text
    if not text.isdecimal():
        raise click.BadParameter(f"must be a fold's number or {ALL!r}, not {text!r}")
    return int(text)


@click.command()
@manifest_argument
@click.option(
    "-O", "--out", required=True, type=click.Path(file_okay=False, path_type=Path), metavar="RUN",
    help="The run directory.",
)  # fmt: skip
@shards_option("Read the images that `mammo preprocess` made of the manifest, by their recipe.")
@config_option
@set_option(of_training=True)
@recipe_option
@review_option
@click.option(
    "--fold", metavar="K|all", callback=_read_fold,
    help="The fold to hold out for validation, or each in turn.",
)  # fmt: skip
@click.option("--model", help="A timm architecture.")
@click.option(
    "--pretrained", type=click.Path(dir_okay=False), metavar="FILE",
    help="Weights to begin with; a published set brings its network and recipe.",
)  # fmt: skip
@click.option(
    "--unit", type=click.Choice(["image", "breast", "exam"]), help="What one score is for."
)
@click.option(
    "--augment", metavar="PRESET", help="Random changes of images; `mammo config presets`."
)
@click.option("--epochs", type=int, help="Passes over the negatives.")
@click.option("--batch", type=int, help="Images (breasts, exams) in a batch of one rank.")
@click.option("--accumulate", type=int, help="Batches of each rank in a step.")
@click.option("--lr", type=float, help="The highest learning rate.")
@seed_option("Another seed, another run.", default=None)
@nproc_option
@click.option(
    "--max-restarts", type=click.IntRange(min=0), default=0,
    help="With --nproc: how often all ranks are started again after one died.",
)  # fmt: skip
@device_option()
@click.option(
    "--resume", type=click.Choice(["auto", "no"]), default="auto",
    help="Go on with what RUN holds, or start over and replace it.",
)  # fmt: skip
@max_rejects_option()
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    *,
    manifest: Path,
    out: Path,
    config: Path | None,
    sets: tuple[str, ...],
    recipe: str,
    review: "Review | None",
    shards: "ShardSet | None",
    fold: int | str | None,
    nproc: int,
    max_restarts: int,
    device: Any,
    resume: Any,
    limit: "RejectLimit",
    as_json: bool,
    **short: Any,
) -> None:
    r"""Train a classifier on a manifest with labels and folds.

    \b
    mammo train train.parquet -O runs/first --fold 0
    mammo train train.parquet -O runs/all --fold all --nproc 8
    mammo train train.parquet -O runs/clip --fold 0 --pretrained b2-model-best-epoch-10.tar
    torchrun --nproc-per-node 2 -m cli train train.parquet -O runs/first

    Images come from DICOM, or from shards of the same manifest: bit for bit the same. RUN gets
    ckpt/ with best.pt and last.pt, model.safetensors, config.yaml, metrics.jsonl, timing.jsonl, the
    scores of the held-out fold (oof.csv), rejects.csv, log.txt and status.json; with --fold all a
    folder for each fold, oof.csv of all, and ensemble.json, to predict with all folds at once.
    Out-of-fold scores are of the epoch that was best on that very fold, which flatters them a
    little; ckpt/last.pt is free of that.

    SIGTERM or SIGUSR1 saves a checkpoint and leaves with 75; the same command goes on from there.
    `mammo config show` lists all settings.
    """
    from cli.training import Wishes, resolve_training
    from dali_pipelines.review import reviewed_recipe

    one_fold = {"fold": None if fold == ALL else fold}
    settings, prepared_by = resolve_training(
        Wishes(config, sets, recipe, _is_recipe_named(ctx), {**short, **one_fold})
    )
    prepared_by = reviewed_recipe(prepared_by, review)
    if shards is not None:
        prepared_by = _recipe_of(shards, prepared_by if _is_recipe_asked(ctx, sets) else None)
    if nproc > 1 and not is_rank():  # a mistake above is said once
        ctx.exit(_launch(ctx, nproc, max_restarts))
    from cli.watched import TRAIN, open_watched
    from trainer.folds import cross_validate
    from trainer.train import RunOptions, train

    source = partial(open_watched, phases=TRAIN, review=review, shards=shards)
    options = RunOptions(device, resume, limit, source)
    told = settings, prepared_by, manifest, out, options
    if fold == ALL:
        across = cross_validate(*told)
        state = across.state
        _say(across.runs, as_json=as_json, across=across)
    else:
        result = train(*told)
        state = result.state
        _say([result], as_json=as_json)
    if state == "preempted":
        if not rank():
            click.echo("stopped with a checkpoint; run the same command to go on", err=True)
        ctx.exit(PREEMPTED)


def _launch(ctx: click.Context, nproc: int, max_restarts: int) -> int:
    """Run the same command line as that many ranks; its exit code."""
    from trainer.launch import launch

    return launch(ctx.find_root().obj, nproc, max_restarts)


def _say(
    runs: "Sequence[TrainResult]", *, as_json: bool, across: "CrossResult | None" = None
) -> None:
    """The checkpoints to score by on stdout, a line each, and what was lost on stderr."""
    if not runs[0].is_main:
        return
    say_verdicts(runs[-1].counts, runs[-1].rejects)  # every fold's run meets the same images
    facts: list[dict[str, Any]] = [
        {"state": run.state, "checkpoint": str(run.checkpoint), "best": run.best} for run in runs
    ]
    if not as_json:
        click.echo("\n".join(fact["checkpoint"] for fact in facts))
    elif across is None:
        click.echo(json.dumps(facts[0]))
    else:
        whole = {"state": across.state, "folds": facts, "scores": str(across.scores)}
        click.echo(json.dumps({**whole, "figures": across.figures}))


def _is_recipe_named(ctx: click.Context) -> bool:
    return ctx.get_parameter_source("recipe") is not ParameterSource.DEFAULT


def _is_recipe_asked(ctx: click.Context, sets: tuple[str, ...]) -> bool:
    """Whether the command line says how to prepare images, beyond naming shards."""
    from cli.resolve import split_sets

    return _is_recipe_named(ctx) or ctx.params["review"] is not None or bool(split_sets(sets)[1])


def _recipe_of(shards: "ShardSet", asked: "Recipe | None") -> "Recipe":
    """The recipe of the shards; ConfigError where another one is asked for."""
    from dali_pipelines.shards.settings import kept_recipe

    if asked is not None:
        shards.require_recipe(kept_recipe(asked, shards.settings))
    return shards.recipe
