"""`mammo preprocess`: a manifest to shards of prepared images."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cli.ending import print_result, say_verdicts
from cli.options import (
    device_option,
    json_option,
    manifest_argument,
    max_rejects_option,
    recipe_option,
    review_option,
    set_option,
    workers_option,
)

if TYPE_CHECKING:
    from dali_pipelines.recipe import Recipe
    from dali_pipelines.records import ImageRecord
    from dali_pipelines.rejects.limits import RejectLimit
    from dali_pipelines.review import Review
    from dali_pipelines.shards.plan import Share
    from dali_pipelines.shards.preprocess import PreprocessResult, Task
    from dali_pipelines.shards.settings import ShardSettings

    _Wanted = tuple[Path, Review | None]  # the manifest, and boxes by hand for images of it

_DTYPES: Final = {"png": "uint8"}  # by format, where it is not uint16


def _share(_context: click.Context, _parameter: click.Parameter, text: str) -> "Share":
    from dali_pipelines.shards.plan import parse_share

    return parse_share(text)


@click.command()
@manifest_argument
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@recipe_option
@set_option()
@review_option
@click.option(
    "--format",
    type=click.Choice(["shards", "npy", "png", "png16", "tiff", "webdataset"]),
    default="shards",
    help="safetensors, a file an image, or tar files.",
)
@click.option(
    "--dtype",
    type=click.Choice(["uint8", "uint16", "float16", "float32"]),
    show_default="uint16, for png uint8",
    help="Integers hold display values, floats are normalized.",
)
@click.option(
    "--shard-size", "images", type=click.IntRange(min=1), default=256, help="Images in a shard."
)
@click.option(
    "--shard", "share", metavar="I/N", default="0/1", callback=_share,
    help="Make shards I, I + N, I + 2N, ... only; other processes make the others.",
)  # fmt: skip
@click.option(
    "--gpus", type=click.Choice(["all"]), help="A process for each GPU, all at work on OUT."
)
@click.option(
    "--verify",
    type=click.Choice(["none", "canary", "all"]),
    default="none",
    help="Prepare a few images of each shard twice, or read every image back, and compare.",
)
@click.option(
    "--dry-run", is_flag=True, help="Say what would be done, and about how long; write nothing."
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
    review: "Review | None",
    share: "Share",
    gpus: str | None,
    verify: Any,
    dry_run: bool,
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
    what failed for a reason that may have passed, such as a share that was not mounted. With a new
    manifest of the same images, only what changed is prepared again. Several processes, on one
    machine or more, may work on one OUT: by --shard, or by just starting them.

    --verify all proves that the disk holds what was prepared, also of shards made before, and makes
    damaged ones again; --verify canary proves, for a sample, that the CPU prepares the same pixels
    once more and that each row tells of its own image.
    """
    from dali_pipelines.recipe import load_recipe
    from dali_pipelines.review import reviewed_recipe
    from dali_pipelines.shards.preprocess import Task
    from dali_pipelines.shards.settings import kept_recipe

    shards["dtype"] = shards["dtype"] or _DTYPES.get(shards["format"], "uint16")
    settings = _settings(shards)
    asked = reviewed_recipe(load_recipe(recipe, sets), review)
    prepared_by, wanted = kept_recipe(asked, settings), (manifest, review)
    if prepared_by.hash != asked.hash:
        click.echo(f"kept as {settings.dtype}: {_rounding(prepared_by)}", err=True)
    task = Task(share, retry_failed, verify)
    if dry_run:
        if gpus:
            raise click.UsageError("--dry-run times one process; leave out --gpus")
        _estimate(wanted, prepared_by, out, settings, task, (workers, device), as_json)
        return
    run = partial(_together, workers=workers) if gpus else partial(_alone, how=(workers, device))
    result = run(wanted, prepared_by, out, settings, task)
    _print(result, prepared_by, out, limit, as_json=as_json)


def _settings(options: dict[str, Any]) -> "ShardSettings":
    """What the options ask for; ConfigError where a format does not hold a type."""
    from dali_pipelines.errors import ConfigError
    from dali_pipelines.shards.settings import ShardSettings

    try:
        return ShardSettings(**options)
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _rounding(recipe: "Recipe") -> str:
    """What a type made of the recipe, as the settings that ask for the same without shards."""
    kept = f"resize.bits={recipe.resize.bits} resize.dtype={recipe.resize.dtype}"
    return f"the images are those of {kept}, hash {recipe.hash}"


def _alone(
    wanted: "_Wanted",
    recipe: "Recipe",
    out: Path,
    settings: "ShardSettings",
    task: "Task",
    how: tuple[int, Any],
) -> "PreprocessResult":
    from cli.progress import progress
    from dali_pipelines.shards.preprocess import preprocess

    records = _read(wanted)
    total = task.share.count(len(records), settings.images)
    told: list[int] = []
    with progress(total, "preprocess") as bar:

        def tell(images: int) -> None:
            told.append(images)
            bar.update(images)

        result = preprocess(records, recipe, out, settings, task, _loader(*how), tell)
        bar.update(total - sum(told))  # what other processes made meanwhile, or are at
    return result


def _together(
    wanted: "_Wanted",
    recipe: "Recipe",
    out: Path,
    settings: "ShardSettings",
    task: "Task",
    workers: int,
) -> "PreprocessResult":
    from cli.progress import progress
    from dali_pipelines.shards.processes import Job, gpu_names, preprocess_together

    names = gpu_names()
    manifest, review = wanted
    job = Job(manifest, recipe, out, settings, task, workers, review=review)
    with progress(None, f"preprocess by {len(names)}") as bar:
        return preprocess_together(job, names, bar.update)


def _read(wanted: "_Wanted") -> "list[ImageRecord]":
    from dali_pipelines.manifest import read_manifest
    from dali_pipelines.manifest_rows import to_records
    from dali_pipelines.review import reviewed

    manifest, review = wanted
    return reviewed(to_records(read_manifest(manifest)), review)


def _loader(workers: int, device: Any) -> Callable[..., Any]:
    from dali_pipelines.loader import Loader
    from dali_pipelines.loader_settings import LoaderSettings

    return partial(Loader, settings=LoaderSettings(threads=workers), device=device)


def _print(
    result: "PreprocessResult", recipe: "Recipe", out: Path, limit: "RejectLimit", *, as_json: bool
) -> None:
    from dali_pipelines.rejects.table import REJECTS

    click.echo(_summary(result, recipe), err=True)
    say_verdicts(result.counts, out / REJECTS)
    facts = {"out": str(out), "images": result.images, "rejects": len(result.rejects)}
    facts |= {name: getattr(result, name) for name in ("shards", "written", "missing", "verified")}
    print_result(facts, out, limit, (result.counts.rejected, result.counts.inputs), as_json=as_json)


def _summary(result: "PreprocessResult", recipe: "Recipe") -> str:
    from dali_pipelines.rejects.counts import counted

    images, shards = counted(result.images, "image"), counted(result.shards, "shard")
    parts = [f"{images} of recipe {recipe.name} {recipe.hash} in {shards}, {result.written:,} new"]
    if result.verified:
        parts.append(f"{counted(result.verified, 'image')} found right")
    if result.missing:
        parts.append(f"{counted(result.missing, 'shard')} left to other processes")
    return "; ".join(parts)


def _estimate(
    wanted: "_Wanted",
    recipe: "Recipe",
    out: Path,
    settings: "ShardSettings",
    task: "Task",
    how: tuple[int, Any],
    as_json: bool,
) -> None:
    from cli.dry_run import print_estimate
    from dali_pipelines.shards.estimate import estimate

    found = estimate(_read(wanted), recipe, out, settings, task, _loader(*how))
    print_estimate(found, out, as_json=as_json)
