"""`mammo preview`: draw what the network will see beside the DICOM picture, with every decision."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cli.checks import require_apart, require_own_rejects
from cli.ending import judge_pictures
from cli.options import (
    id_key_option,
    json_option,
    max_rejects_option,
    read_options,
    recipe_option,
    review_option,
    set_option,
)
from dali_pipelines.errors import ConfigError

if TYPE_CHECKING:
    from dali_pipelines.recipe import Recipe
    from dali_pipelines.records import ImageRecord
    from dali_pipelines.rejects.counts import VerdictCounts
    from dali_pipelines.rejects.limits import RejectLimit
    from dali_pipelines.review import Review
    from dali_pipelines.verdicts import Flag, Reject

SUFFIX: Final = ".png"
FEW: Final = 20  # pictures of a manifest, which may have 50,000


def _png_or_folder(_context: click.Context, _parameter: click.Parameter, out: Path) -> Path:
    if out.suffix not in {"", SUFFIX} and not out.is_dir():
        raise click.BadParameter(f"{str(out)!r} is neither a {SUFFIX} nor a folder")
    named = out if out.name not in {"", ".."} else out.resolve()
    if not named.name:
        raise click.BadParameter(f"{str(out)!r} names no file or folder that can be made")
    return named


def _flags(
    _context: click.Context, _parameter: click.Parameter, names: tuple[str, ...]
) -> "list[Flag]":
    from dali_pipelines.settings import closest
    from dali_pipelines.verdicts import Flag

    known = [flag.value for flag in Flag]
    for name in names:
        if name not in known:
            raise click.BadParameter(f"there is no flag {name!r}.{closest(name, known)}")
    return [Flag(name) for name in names]


@click.command()
@click.argument(
    "sources", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="DICOM|MANIFEST..."
)
@click.option(
    "-O", "--out", required=True, type=click.Path(path_type=Path), callback=_png_or_folder,
    help="A .png for one image, else a folder, where each is named by its image_id.",
)  # fmt: skip
@click.option(
    "--id", "ids", multiple=True, metavar="IMAGE_ID", help="Draw this image; may be repeated.",
)  # fmt: skip
@click.option(
    "--flag", "flags", multiple=True, metavar="FLAG", callback=_flags,
    help="Draw the images with this flag of the scan; may be repeated.",
)  # fmt: skip
@click.option(
    "--sample", type=click.IntRange(min=1), metavar="N",
    show_default=f"{FEW} of a manifest, else all; all of --id",
    help="Draw at most so many.",
)  # fmt: skip
@recipe_option
@set_option()
@review_option
@read_options
@id_key_option("beside the manifest, else beside OUT; suffix .key")
@max_rejects_option()
@json_option
def command(
    *,
    sources: tuple[Path, ...],
    out: Path,
    ids: tuple[str, ...],
    flags: "list[Flag]",
    sample: int | None,
    recipe: str,
    sets: tuple[str, ...],
    review: "Review | None",
    id_key: Path | None,
    limit: "RejectLimit",
    as_json: bool,
    **taken: Any,
) -> None:
    r"""Draw what the network will see beside the DICOM picture, with every decision.

    \b
    mammo preview exam/ -O previews
    mammo preview image.dcm -O image.png --set roi.mirror=none
    mammo preview train.parquet --flag laterality_conflict -O previews

    Writes no name or id of a patient, but pixels are drawn as they are: text that is burned into
    them stays. The verdict on an input without a picture goes to stderr, and to OUT_rejects.csv.
    """
    from cli.watched import read_watched
    from dali_pipelines.manifest_rows import to_records
    from dali_pipelines.recipe import load_recipe
    from dali_pipelines.rejects.table import rejects_beside
    from dali_pipelines.review import reviewed, reviewed_recipe

    table = rejects_beside(out)
    prepared_by = reviewed_recipe(load_recipe(recipe, sets), review)
    require_apart([out, table], [*sources, id_key])
    require_own_rejects(out)
    inputs = read_watched(sources, out, None, id_key, **taken)
    most = sample or (FEW if sources[0].suffix == ".parquet" and not ids else None)
    records = reviewed(_choose(to_records(inputs.frame), out, ids, flags, most), review)
    written, rejects = _write(records, prepared_by, out)
    counts = judge_pictures(records, rejects, inputs.rejects, table)
    _print(written, counts, as_json=as_json)
    limit.enforce(inputs.lost + len(rejects), inputs.lost + len(records))


def _choose(
    records: "list[ImageRecord]",
    out: Path,
    ids: tuple[str, ...],
    flags: "list[Flag]",
    most: int | None,
) -> "list[ImageRecord]":
    """The images to draw; says on stderr where that is not all of those that were asked for."""
    from dali_pipelines.inspection.sampling import choose_images, draw_few

    if not records:
        return []
    chosen = choose_images(records, ids, flags)
    most = most or len(chosen)
    if out.suffix == SUFFIX and min(most, len(chosen)) > 1:
        raise ConfigError(f"{len(chosen):,} images do not fit into one {SUFFIX}; -O names a folder")
    if most < len(chosen):
        click.echo(f"{most:,} of {len(chosen):,} images are drawn; --sample N draws N", err=True)
    return draw_few(chosen, most)


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


def _print(written: dict[str, str], counts: "VerdictCounts", *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"previews": written, **counts.to_dict()}))
    else:
        click.echo("".join(f"{path}\n" for path in written.values()), nl=False)
