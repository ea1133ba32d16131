"""`mammo preprocess`: a manifest to shards of prepared images."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.ending import print_result, say_verdicts
from cli.options import (
    device_option,
    json_option,
    manifest_argument,
    max_rejects_option,
    recipe_option,
    set_option,
    workers_option,
)

if TYPE_CHECKING:
    from dali_pipelines.recipe import Recipe
    from dali_pipelines.rejects.limits import RejectLimit
    from dali_pipelines.shards import PreprocessResult, ShardSettings


@click.command()
@manifest_argument
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@recipe_option
@set_option()
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
@workers_option()
@device_option()
@max_rejects_option()
@click.option(
    "--retry-failed",
    is_flag=True,
    help="Also make the shards again that hold an image which failed, for whatever reason.",
)
@json_option
def command(
    *,
    manifest: Path,
    out: Path,
    recipe: str,
    sets: tuple[str, ...],
    workers: int,
    device: Any,
    limit: "RejectLimit",
    retry_failed: bool,
    as_json: bool,
    **shards: Any,
) -> None:
    r"""Prepare every image of a manifest and keep the results as shards.

    \b
    mammo preprocess train.parquet shards --recipe default-1536

    A shard is there whole or not at all; run the same command again to make what is missing, and
    what failed for a reason that may have passed, such as a share that was not mounted. A file that
    was replaced is another one: scan again, and prepare into an empty folder.
    """
    from dali_pipelines.recipe import load_recipe
    from dali_pipelines.rejects.table import REJECTS
    from dali_pipelines.settings import build
    from dali_pipelines.shards import ShardSettings

    settings = build(ShardSettings, [("options", shards)])[0]
    prepared_by = load_recipe(recipe, sets)
    how = {"workers": workers, "device": device, "retry_failed": retry_failed}
    result = _preprocess(manifest, prepared_by, out, settings, **how)
    click.echo(_summary(result, prepared_by), err=True)
    say_verdicts(result.counts, out / REJECTS)
    facts = {"out": str(out), "images": result.images, "rejects": len(result.rejects)}
    lost = (result.counts.rejected, result.counts.inputs)
    print_result({**facts, "shards": result.shards}, out, limit, lost, as_json=as_json)


def _preprocess(
    manifest: Path,
    recipe: "Recipe",
    out: Path,
    settings: "ShardSettings",
    *,
    workers: int,
    device: Any,
    retry_failed: bool,
) -> "PreprocessResult":
    from cli.progress import progress
    from dali_pipelines.loader import Loader
    from dali_pipelines.loader_settings import LoaderSettings
    from dali_pipelines.manifest import read_manifest
    from dali_pipelines.manifest_rows import to_records
    from dali_pipelines.shards import preprocess

    loader = partial(Loader, settings=LoaderSettings(threads=workers), device=device)
    records = to_records(read_manifest(manifest))
    with progress(len(records), "preprocess") as bar:
        return preprocess(
            records, recipe, out, settings, loader, bar.update, retry_failed=retry_failed
        )


def _summary(result: "PreprocessResult", recipe: "Recipe") -> str:
    from dali_pipelines.rejects.counts import counted

    images, shards = counted(result.images, "image"), counted(result.shards, "shard")
    return f"{images} of recipe {recipe.name} {recipe.hash} in {shards}, {result.written:,} new"
