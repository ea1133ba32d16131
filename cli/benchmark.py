"""`mammo benchmark`: images a second of each part of the way on this machine."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from cli.options import (
    batch_option,
    device_option,
    images_option,
    json_option,
    recipe_option,
    set_option,
    workers_option,
)

_SHAPE: Final = "{:<9} {:<10} {:>8} {:>19} {:>8} {:>9} {:>9} {:>9}"
_TITLES: Final = (
    *("part", "syntax", "img/s", "(min - max)"),
    *("MP/s", "CPU s/img", "peak MiB", "of it"),
)


@click.command()
@click.argument(
    "what", type=click.Choice(["decode", "pipeline", "loader", "train-step", "all"]), default="all"
)
@device_option()
@images_option(
    "Files or folders, of which the first images are taken; or synthetic exams of full size."
)
@click.option(
    "--syntax", "syntaxes", multiple=True,
    show_default="j2k, jpeg_sv1 and htj2k for phantoms, stored for files",
    help="A transfer syntax to write the images in beforehand, such as j2k; stored: as they are.",
)  # fmt: skip
@recipe_option
@set_option()
@click.option("--images", "count", type=click.IntRange(min=1), default=16, help="Images in a pass.")
@batch_option
@click.option(
    "--repeats", type=click.IntRange(min=5), default=5, help="Timed passes, after one to warm up."
)
@workers_option("Threads of each part.")
@click.option(
    "--model", show_default="mobilenetv3_small_050", help="The timm architecture of train-step."
)
@json_option
def command(
    *,
    sources: tuple[Path, ...],
    recipe: str,
    sets: tuple[str, ...],
    count: int,
    workers: int,
    model: str | None,
    as_json: bool,
    **settings: Any,
) -> None:
    r"""Measure how many images a second each part of the way takes.

    \b
    decode      the decoders alone, codestreams in memory
    pipeline    window, ROI and resize alone, images in memory
    loader      DICOM files to batches
    train-step  a training step on a ready batch (step) and on the loader's (train)

    Each part runs in a process of its own. Figures are medians over the repeats; CPU seconds and
    memory are those of all its processes, "of it" is the memory above what the imports take.
    """
    from benchmarks.images import Images
    from benchmarks.suite import MODEL, SuiteSettings, run_suite
    from cli.progress import progress
    from dali_pipelines.recipe import load_recipe

    images = Images(sources, count=count)
    suite = SuiteSettings(**settings, images=images, threads=workers, model=model or MODEL)
    prepared_by = load_recipe(recipe, sets)
    with progress(suite.passes, "benchmark", "passes") as bar:
        document = run_suite(suite, prepared_by, bar.update)
    click.echo(json.dumps(document, indent=2) if as_json else "\n".join(_table(document)))


def _table(document: dict[str, Any]) -> Iterator[str]:
    """One line for each part and syntax, then the overlap of loading and training."""
    yield _SHAPE.format(*_TITLES)
    for row in document["rows"]:
        rate = row["img_s"]
        yield _SHAPE.format(
            row["part"],
            row["syntax"],
            f"{rate['median']:.4g}",
            f"({rate['min']:.4g} - {rate['max']:.4g})",
            f"{row['mp_s']['median']:.4g}",
            _cell(row["cpu_s_per_image"] and row["cpu_s_per_image"]["median"]),
            _cell(row["peak_mib"]),
            _cell(row["above_import_mib"]),
        )
    for syntax, share in document["overlap"].items():
        yield f"overlap of loading and training, {syntax}: {share} (1: the shorter costs no time)"


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}" if isinstance(value, float) else f"{value:,}"
