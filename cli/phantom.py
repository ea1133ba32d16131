"""`mammo phantom`: synthetic screening exams as real DICOM files, with their labels."""

import json
import re
from pathlib import Path

import click

from cli.options import json_option, seed_option, workers_option


def _parse_size(_context: click.Context, _parameter: click.Parameter, text: str) -> tuple[int, int]:
    """(height, width) in px from "512x416"."""
    match = re.fullmatch(r"(\d{1,5})x(\d{1,5})", text.lower())
    if match is None:
        raise click.BadParameter(f"{text!r} is not HxW, such as 512x416")
    return int(match[1]), int(match[2])


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--patients", type=click.IntRange(min=1), default=60, help="Women with four images each."
)
@click.option(
    "--prevalence",
    type=click.FloatRange(0, 1),
    default=0.4,
    help="Share of patients with cancer in one breast.",
)
@click.option(
    "--size",
    metavar="HxW",
    default="512x416",
    callback=_parse_size,
    help="Rows x columns of each image; a detector has 3328x2560, 4096x3328 or 5355x4915.",
)
@click.option(
    "--syntax",
    default="mixed",
    help="One transfer syntax for all images, such as j2k or jpeg_sv1, or mixed.",
)
@seed_option("Another seed, other women.")
@workers_option("Threads that draw and encode.")
@json_option
def command(
    *,
    out: Path,
    patients: int,
    prevalence: float,
    size: tuple[int, int],
    syntax: str,
    seed: int,
    workers: int,
    as_json: bool,
) -> None:
    r"""Write synthetic four-view screening exams as real DICOM files.

    \b
    mammo phantom exams --patients 60 --seed 1
    mammo phantom full --patients 2 --size 3328x2560 --syntax jpeg_lossless

    OUT is a folder: OUT/images holds the DICOM files, OUT/labels.csv one row an image (cancer is
    per breast), and OUT/lesions.csv where the lesions are. The same options give the same bytes.
    """
    from cli.progress import progress
    from dali_pipelines.phantom.exams import write_phantoms
    from dali_pipelines.phantom.patients import IMAGES, PhantomSettings

    settings = PhantomSettings(patients, prevalence, *size, syntax, seed, workers)
    with progress(patients * len(IMAGES), "phantom") as bar:
        exams = write_phantoms(out, settings, bar.update)
    click.echo(
        f"{exams.files:,} images of {exams.patients:,} patients, {exams.positives:,} with cancer, "
        f"in {str(exams.images)!r}; synthetic, and no evidence of anything clinical",
        err=True,
    )
    click.echo(json.dumps(exams.to_dict()) if as_json else str(exams.labels))
