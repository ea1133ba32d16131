"""`mammo preprocess`: a manifest to shards of prepared images."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dali_pipelines.limits import DEFAULT_LIMIT, parse_limit

if TYPE_CHECKING:
    from dali_pipelines.recipe import Recipe
    from dali_pipelines.shards import PreprocessResult


@click.command()
@click.argument("manifest", type=click.Path(path_type=Path))
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--recipe", default="default-1536", help="A recipe's name, or a .yaml file.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Change the recipe.")
@click.option("--format", type=click.Choice(["safetensors", "npy"]), default="safetensors")
@click.option(
    "--dtype",
    type=click.Choice(["uint8", "uint16", "float16", "float32"]),
    default="uint16",
    help="Integers hold display values, floats are normalized.",
)
@click.option(
    "--shard-size", "images", type=click.IntRange(min=1), default=256, help="Images in a shard."
)
@click.option("-j", "--workers", type=click.IntRange(min=0), default=0, show_default="one a core")
@click.option("--device", type=click.Choice(["auto", "cpu", "gpu"]), default="auto")
@click.option("--max-rejects", metavar="N|P%", default=DEFAULT_LIMIT, help="Leave with 3 above it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    *,
    manifest: Path,
    out: Path,
    recipe: str,
    sets: tuple[str, ...],
    workers: int,
    device: Any,
    max_rejects: str,
    as_json: bool,
    **shards: Any,
) -> None:
    r"""Prepare every image of a manifest and keep the results as shards.

    \b
    mammo preprocess train.parquet shards --recipe default-1536

    A shard is there whole or not at all; run the same command again to make what is missing.
    """
    from functools import partial

    from cli.progress import progress
    from dali_pipelines.loader import Loader
    from dali_pipelines.loader_settings import LoaderSettings
    from dali_pipelines.manifest import read_manifest, to_records
    from dali_pipelines.recipe import load_recipe
    from dali_pipelines.settings import build
    from dali_pipelines.shards import ShardSettings, preprocess

    limit = parse_limit(max_rejects)
    settings = build(ShardSettings, [("options", shards)])[0]
    prepared_by = load_recipe(recipe, sets)
    records = to_records(read_manifest(manifest))
    with progress(len(records), "preprocess") as bar:
        result = preprocess(
            records,
            prepared_by,
            out,
            settings,
            partial(Loader, settings=LoaderSettings(threads=workers), device=device),
            bar.update,
        )
    click.echo(_summary(result, prepared_by), err=True)
    facts = {"out": str(out), "images": result.images, "rejects": len(result.rejects)}
    click.echo(json.dumps({**facts, "shards": result.shards}) if as_json else str(out))
    limit.enforce(len(result.rejects), len(records))


def _summary(result: "PreprocessResult", recipe: "Recipe") -> str:
    return (
        f"{result.images:,} images of recipe {recipe.name} {recipe.hash} in "
        f"{result.shards:,} shards, {result.written:,} new; {len(result.rejects):,} rejected"
    )
