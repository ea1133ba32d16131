"""`mammo config`: what a run would use and where it comes from; which recipes and presets exist."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import click

from cli.options import config_option, json_option, recipe_option, set_option

_LISTED: Final = "{:<18}  {:<12}  {:<11}  {:<12}  {}"


@click.group()
def command() -> None:
    """Show the resolved settings, or list recipes and presets."""


@command.command(context_settings={"allow_extra_args": True})
@config_option
@set_option(of_training=True)
@recipe_option
@json_option
@click.pass_context
def show(
    ctx: click.Context, /, config: Path | None, sets: tuple[str, ...], recipe: str, as_json: bool
) -> None:
    """Print the resolved settings of a training run and of its recipe, with their origins.

    Each of the two YAML documents can be saved and given to --config or --recipe again. A KEY of
    the recipe (voi, roi, resize) changes the recipe, any other the training settings.
    """
    if ctx.args:
        raise click.UsageError(f"unexpected argument; a recipe is shown by --recipe {ctx.args[0]}")
    from cli.resolve import split_sets, train_layers
    from dali_pipelines.recipe import Recipe, recipe_layers
    from dali_pipelines.settings import build, to_dict
    from trainer.settings import TrainSettings

    of_train, of_recipe = split_sets(sets)
    train, train_origins = build(TrainSettings, train_layers(config, of_train))
    prepared, recipe_origins = build(Recipe, recipe_layers(recipe, of_recipe))
    documents = {
        "train": {"settings": to_dict(train), "origins": train_origins},
        "recipe": {
            "hash": prepared.hash,
            "settings": prepared.to_dict(),
            "origins": recipe_origins,
        },
    }
    if as_json:
        click.echo(json.dumps(documents, indent=2))
        return
    click.echo("# training settings")
    click.echo("\n".join(_aligned(to_dict(train), train_origins)))
    click.echo(f"---\n# recipe, hash {prepared.hash}")
    click.echo("\n".join(_aligned(prepared.to_dict(), recipe_origins)))


@command.command()
@json_option
def recipes(as_json: bool) -> None:
    """List the recipes that come with the package: size, how the breast is found, whose it is.

    `mammo config show --recipe NAME` shows all of one.
    """
    from dali_pipelines.recipe import load_recipe, recipe_about, recipe_names

    loaded = [(load_recipe(name), recipe_about(name)) for name in recipe_names()]
    if as_json:
        rows = [
            {
                "name": r.name,
                "hash": r.hash,
                "size": list(r.size),
                "roi": r.roi.method,
                "about": about,
            }
            for r, about in loaded
        ]
        click.echo(json.dumps(rows, indent=2))
        return
    click.echo(_LISTED.format("recipe", "hash", "size (px)", "roi.method", "what it is"))
    for r, about in loaded:
        size = f"{r.size[0]:>4} x {r.size[1]}"
        click.echo(_LISTED.format(r.name, r.hash, size, r.roi.method, about))


@command.command()
@json_option
def presets(as_json: bool) -> None:
    """List the presets of augmentation that come with the package, and whose they are.

    `mammo config show --set augment.preset=NAME` shows all of one.
    """
    from trainer.augment.presets import preset_about, preset_names

    rows = [{"name": name, "about": preset_about(name)} for name in preset_names()]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    for row in rows:
        click.echo(f"{row['name']:<12}  {row['about']}")


def _aligned(settings: Mapping[str, Any], origins: Mapping[str, str]) -> list[str]:
    """YAML lines, each value with its origin as a comment in one column."""
    rows = list(_rows(settings, origins, ()))
    width = max(len(text) for text, origin in rows if origin)
    return [f"{text:<{width}}  # {origin}" if origin else text for text, origin in rows]


def _rows(
    settings: Mapping[str, Any], origins: Mapping[str, str], path: Sequence[str]
) -> Iterator[tuple[str, str]]:
    """(line of YAML, origin), the origin "" for the head of a section."""
    import yaml

    indent = "  " * len(path)
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield f"{indent}{key}:", ""
            yield from _rows(value, origins, (*path, key))
        else:
            text = yaml.safe_dump(value, default_flow_style=True, width=1000)
            plain = text.removesuffix("...\n").strip()
            yield f"{indent}{key}: {plain}", origins[".".join((*path, key))]
