"""`mammo train`: a manifest with labels and folds to checkpoints."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from cli.ending import say_verdicts
from cli.options import (
    config_option,
    device_option,
    json_option,
    manifest_argument,
    max_rejects_option,
    recipe_option,
    review_option,
    seed_option,
    set_option,
    shards_option,
)

if TYPE_CHECKING:
    from dali_pipelines.recipe import Recipe
    from dali_pipelines.rejects.limits import RejectLimit
    from dali_pipelines.review import Review
    from dali_pipelines.shards.shard_set import ShardSet
    from trainer.settings import TrainSettings

PREEMPTED: Final = 75
# option -> the setting it is short for
_SHORT_FOR: Final = {
    "fold": "fold",
    "epochs": "epochs",
    "seed": "seed",
    "model": "model.name",
    "batch": "data.batch",
    "lr": "optim.lr",
}


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
@click.option("--fold", type=int, help="The fold to hold out for validation.")
@click.option("--model", help="A timm architecture.")
@click.option("--epochs", type=int, help="Passes over the negatives.")
@click.option("--batch", type=int, help="Images in a batch of one rank.")
@click.option("--lr", type=float, help="The highest learning rate.")
@seed_option("Another seed, another run.", default=None)
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
    device: Any,
    resume: Any,
    limit: "RejectLimit",
    as_json: bool,
    **short: Any,
) -> None:
    r"""Train a classifier on a manifest with labels and folds.

    \b
    mammo train train.parquet -O runs/first --fold 0
    torchrun --nproc-per-node 2 -m cli train train.parquet -O runs/first
    mammo train train.parquet -O runs/first --fold 0 --shards shards

    Images come from DICOM, or from shards of the same manifest: bit for bit the same. RUN gets the
    checkpoints best.pt and last.pt, config.yaml, metrics.jsonl, the scores of the held-out fold
    (oof.csv), rejects.csv, log.txt and status.json. SIGTERM or SIGUSR1 saves a checkpoint and
    leaves with 75; the same command goes on from there. `mammo config show` lists all settings.
    """
    from cli.watched import TRAIN, open_watched
    from dali_pipelines.review import reviewed_recipe
    from trainer.train import RunOptions, train

    source = partial(open_watched, phases=TRAIN, review=review, shards=shards)
    options = RunOptions(device, resume, limit, source)
    settings, prepared_by = _resolve(config, sets, recipe, short)
    prepared_by = reviewed_recipe(prepared_by, review)
    if shards is not None:
        prepared_by = _recipe_of(shards, prepared_by if _is_recipe_asked(ctx, sets) else None)
    result = train(settings, prepared_by, manifest, out, options)
    facts = {"state": result.state, "checkpoint": str(result.checkpoint), "best": result.best}
    if result.is_main:
        say_verdicts(result.counts, result.rejects)
        click.echo(json.dumps(facts) if as_json else str(result.checkpoint))
    if result.state == "preempted":
        ctx.exit(PREEMPTED)


def _is_recipe_asked(ctx: click.Context, sets: tuple[str, ...]) -> bool:
    """Whether the command line says how to prepare images, beyond naming shards."""
    from cli.resolve import split_sets

    named = ctx.get_parameter_source("recipe") is not ParameterSource.DEFAULT
    return named or ctx.params["review"] is not None or bool(split_sets(sets)[1])


def _recipe_of(shards: "ShardSet", asked: "Recipe | None") -> "Recipe":
    """The recipe of the shards; ConfigError where another one is asked for."""
    from dali_pipelines.shards.settings import kept_recipe

    if asked is not None:
        shards.require_recipe(kept_recipe(asked, shards.settings))
    return shards.recipe


def _resolve(
    config: Path | None, sets: tuple[str, ...], recipe: str, short: dict[str, Any]
) -> "tuple[TrainSettings, Recipe]":
    """The settings from file, `--set` and options, the later the stronger; and the recipe."""
    from cli.resolve import split_sets, train_layers
    from dali_pipelines.recipe import load_recipe
    from dali_pipelines.settings import build
    from trainer.settings import TrainSettings

    of_train, of_recipe = split_sets(sets)
    layers = train_layers(config, of_train)
    for option, value in short.items():
        if value is not None:
            layers.append((f"--{option}", _nested(_SHORT_FOR[option], value)))
    return build(TrainSettings, layers)[0], load_recipe(recipe, of_recipe)


def _nested(dotted: str, value: Any) -> dict[str, Any]:
    """{"a": {"b": value}} for "a.b"."""
    name, _, rest = dotted.partition(".")
    return {name: _nested(rest, value) if rest else value}
