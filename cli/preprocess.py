"""`mammo preprocess`: a manifest to shards of prepared images."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cli.ending import print_result, say_verdicts
from dali_pipelines.rejects.limits import DEFAULT_LIMIT, parse_limit

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
@click.option(
    "--retry-failed",
    is_flag=True,
    help="Also make the shards again that hold an image which failed, for whatever reason.",
)
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
    from functools import partial

    from cli.progress import progress
    from dali_pipelines.loader import Loader
    from dali_pipelines.loader_settings import LoaderSettings
    from dali_pipelines.manifest import read_manifest, to_records
    from dali_pipelines.recipe import load_recipe
    from dali_pipelines.rejects.table import REJECTS
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
            retry_failed=retry_failed,
        )
    click.echo(_summary(result, prepared_by), err=True)
    say_verdicts(result.counts, out / REJECTS)
    facts = {"out": str(out), "images": result.images, "rejects": len(result.rejects)}
    lost = (result.counts.rejected, result.counts.inputs)
    print_result({**facts, "shards": result.shards}, out, limit, lost, as_json=as_json)


def _summary(result: "PreprocessResult", recipe: "Recipe") -> str:
    from dali_pipelines.rejects.counts import counted

    images, shards = counted(result.images, "image"), counted(result.shards, "shard")
    return f"{images} of recipe {recipe.name} {recipe.hash} in {shards}, {result.written:,} new"
