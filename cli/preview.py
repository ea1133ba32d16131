"""`mammo preview`: draw what the network will see beside the DICOM picture, with every decision."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, get_args

import click

from cli.checks import require_apart
from cli.ending import say_verdicts
from dali_pipelines.dicom.frames import Frames
from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.rejects.limits import DEFAULT_LIMIT, parse_limit

if TYPE_CHECKING:
    from dali_pipelines.recipe import Recipe
    from dali_pipelines.records import ImageRecord
    from dali_pipelines.verdicts import Reject

SUFFIX: Final = ".png"


@click.command()
@click.argument(
    "sources", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="DICOM|MANIFEST..."
)
@click.option(
    "-O", "--out", required=True, type=click.Path(path_type=Path),
    help="A .png for one image, else a folder, where each is named by its image_id.",
)  # fmt: skip
@click.option("--recipe", default="default-1536", help="A recipe's name, or a .yaml file.")
@click.option("--set", "sets", multiple=True, metavar="KEY=VALUE", help="Change the recipe.")
@click.option(
    "--frames", type=click.Choice(get_args(Frames)), default="error",
    help="What a DICOM object of several frames gives: nothing, one frame, each, or their maximum.",
)  # fmt: skip
@click.option(
    "--id-key", type=click.Path(dir_okay=False, path_type=Path),
    show_default="beside the manifest, else beside OUT; suffix .key",
    help="The key of the image ids.",
)  # fmt: skip
@click.option("--max-rejects", metavar="N|P%", default=DEFAULT_LIMIT, help="Leave with 3 above it.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(
    *,
    sources: tuple[Path, ...],
    out: Path,
    recipe: str,
    sets: tuple[str, ...],
    frames: Frames,
    id_key: Path | None,
    max_rejects: str,
    as_json: bool,
) -> None:
    r"""Draw what the network will see beside the DICOM picture, with every decision.

    \b
    mammo preview exam/ -O previews
    mammo preview image.dcm -O image.png --set roi.mirror=none

    Writes no name or id of a patient, but pixels are drawn as they are: text that is burned into
    them stays. The verdict on an input without a picture goes to stderr, and to OUT_rejects.csv.
    """
    from cli.progress import progress
    from dali_pipelines.manifest import to_records
    from dali_pipelines.recipe import load_recipe
    from dali_pipelines.rejects.counts import count_images
    from dali_pipelines.rejects.table import rejects_beside, write_rejects
    from trainer.inputs import read_inputs

    limit, table = parse_limit(max_rejects), rejects_beside(out)
    prepared_by = load_recipe(recipe, sets)
    require_apart([out, table], [*sources, id_key])
    watch = partial(progress, label="scan", unit="files")
    inputs = read_inputs(sources, out, None, id_key, watch, frames)
    records = to_records(inputs.frame)
    if out.suffix == SUFFIX and len(records) > 1:
        raise ConfigError(
            f"{len(records):,} images do not fit into one {SUFFIX}; -O names a folder"
        )
    written, rejects = _write(records, prepared_by, out)
    for reject in (*inputs.rejects, *rejects):
        click.echo(_verdict(reject), err=True)
    write_rejects([*inputs.rejects, *rejects], table)
    flagged = {record.image_id: bool(record.flags) for record in records}
    counts = count_images(flagged, rejects).and_rejects(inputs.rejects)
    if not records:
        raise DatasetError(f"no image among {counts.line(table)}")
    say_verdicts(counts, table)
    if as_json:
        click.echo(json.dumps({"previews": written, **counts.to_dict()}))
    else:
        click.echo("".join(f"{path}\n" for path in written.values()), nl=False)
    limit.enforce(inputs.lost + len(rejects), inputs.lost + len(records))


def _write(
    records: "list[ImageRecord]", recipe: "Recipe", out: Path
) -> "tuple[dict[str, str], list[Reject]]":
    """Write the pictures; their files by image_id, and why others have none."""
    from cli.progress import progress
    from dali_pipelines.atomic import replacing
    from dali_pipelines.inspection.previewer import preview_images

    written: dict[str, str] = {}
    rejects: list[Reject] = []
    with progress(len(records), "preview") as bar:
        for record, png in preview_images(records, recipe):
            if isinstance(png, bytes):
                path = out if out.suffix == SUFFIX else out / f"{record.image_id}{SUFFIX}"
                path.parent.mkdir(parents=True, exist_ok=True)
                with replacing(path) as aside:
                    aside.write_bytes(png)
                written[record.image_id] = str(path)
            else:
                rejects.append(png)
            bar.update()
    return written, rejects


def _verdict(reject: "Reject") -> str:
    """One line on an input without a picture; it has no image_id where its header was not read."""
    from dali_pipelines.rejects.explanations import explain

    name = reject.image_id or "an input"
    return f"{name}: {reject.reason.value}: {reject.detail}. {explain(reject.reason).advice}"
