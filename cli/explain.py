"""`mammo explain`: draw what the network looks at over the DICOM picture, and list it as boxes."""

import csv
import json
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cli.checks import require_apart, require_own_rejects
from cli.ending import judge_pictures
from cli.members_option import MembersCommand
from cli.options import (
    device_option,
    id_key_option,
    ids_option,
    json_option,
    max_rejects_option,
    read_options,
    review_option,
    sources_argument,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from dali_pipelines.records import ImageRecord
    from dali_pipelines.rejects.limits import RejectLimit
    from dali_pipelines.review import Review
    from dali_pipelines.verdicts import Reject
    from trainer.explain.explain import Explained
    from trainer.explain.heat_boxes import HeatBox
    from trainer.explain.picture import Pictures
    from trainer.prediction.inputs import Inputs

BOXES: Final = "boxes.csv"
FEW: Final = 20  # images of a manifest, as `mammo preview`
_COLUMNS: Final = (
    "image_id", "laterality", "view", "top_px", "left_px", "bottom_px", "right_px", "row_px",
    "column_px", "heat", "score",
)  # fmt: skip
_UID: Final = re.compile(r"[0-9][0-9.]{0,63}(:[0-9]*)?")  # PS3.5 section 9.1; ":" and the frame


@click.command(cls=MembersCommand)
@sources_argument
@click.option(
    "--ckpt", "checkpoints", multiple=True, required=True, type=click.Path(path_type=Path),
    metavar="CKPT...",
    help="Checkpoints, run directories, or one ensemble file; of several the mean is drawn.",
)  # fmt: skip
@click.option(
    "-O", "--out", required=True, type=click.Path(file_okay=False, path_type=Path),
    help="A folder of pictures, named by image_id, and boxes.csv.",
)  # fmt: skip
@click.option(
    "--method", type=click.Choice(["grad-cam", "occlusion"]), default="grad-cam",
    help="By the gradients of the last map, or by covering parts of the image: slow.",
)  # fmt: skip
@click.option(
    "--layer", default="", metavar="NAME", show_default="the last one with a map",
    help="The layer for Grad-CAM, as torch names it.",
)  # fmt: skip
@click.option("--fold", type=int, help="Only this fold of the manifest.")
@click.option(
    "--id", "asked", multiple=True, metavar="IMAGE_ID", help="Draw this image; may be repeated.",
)  # fmt: skip
@click.option(
    "--sample", type=click.IntRange(min=1), metavar="N",
    show_default=f"{FEW} of a manifest, else all; all of --id",
    help="Draw at most so many.",
)  # fmt: skip
@review_option
@read_options
@ids_option
@id_key_option("beside the manifest, else beside OUT; suffix .key")
@device_option()
@max_rejects_option()
@json_option
def command(
    *,
    sources: tuple[Path, ...],
    checkpoints: tuple[Path, ...],
    out: Path,
    method: Any,
    layer: str,
    fold: int | None,
    asked: tuple[str, ...],
    sample: int | None,
    ids: str,
    review: "Review | None",
    id_key: Path | None,
    device: Any,
    limit: "RejectLimit",
    as_json: bool,
    **taken: Any,
) -> None:
    r"""Draw what the network looks at over the DICOM picture, and list it as boxes.

    \b
    mammo explain exam/ --ckpt runs/first -O heat
    mammo explain train.parquet --ckpt best.pt --fold 0 --sample 50 -O heat

    OUT/IMAGE_ID.png has the px of the file, OUT/IMAGE_ID_small.png is the picture without and with
    heat. boxes.csv has a row for each part of half the greatest heat and more, in px of the file:
    its edges, its hottest place, that heat (1 is the greatest of the image), and the score, heat
    times the probability of cancer. An image in which nothing spoke for cancer has no row.

    Images are named as in the manifest or the predictions whose key is named by --id-key, or with
    --ids raw by their SOP Instance UIDs.

    Heat tells where the network looks, not whether there is a lesion: it is as hot in an image of
    probability 0.01. Text that is burned into the pixels stays.
    """
    from cli.watched import open_together, read_watched
    from dali_pipelines.rejects.table import rejects_beside
    from trainer.explain.explain import ExplainOptions
    from trainer.explain.picture import picture_all
    from trainer.prediction.scorers import load_scorers

    table = rejects_beside(out)
    require_apart([table, out / BOXES], [*sources, *checkpoints, id_key])
    require_own_rejects(out)
    scorers = load_scorers(checkpoints).reviewed(review)
    inputs = read_watched(sources, out, fold, id_key, **taken)
    chosen = _choose(inputs, sources, asked, sample)
    source = partial(open_together, phases=("explain",), review=review)
    options = ExplainOptions(method, layer, device, open_source=source)
    found = picture_all(inputs.frame, scorers, {record.image_id for record in chosen}, options)
    written, rejects = _write(found, out, _raw_names(inputs.frame) if ids == "raw" else {})
    counts = judge_pictures(chosen, rejects, inputs.rejects, table)
    if as_json:
        click.echo(json.dumps({"images": written, **counts.to_dict()}))
    else:
        click.echo("".join(f"{row['picture']}\n" for row in written.values()), nl=False)
    cold = sum(not row["boxes"] for row in written.values())
    if cold:
        click.echo(f"no place spoke for cancer in {cold:,} of {len(written):,} images", err=True)
    limit.enforce(inputs.lost + len(rejects), inputs.lost + len(chosen))


def _choose(
    inputs: "Inputs", sources: tuple[Path, ...], asked: tuple[str, ...], sample: int | None
) -> "list[ImageRecord]":
    """The images to draw; says on stderr where that is not all of those that were asked for."""
    from dali_pipelines.inspection.sampling import choose_images, draw_few
    from dali_pipelines.manifest_rows import to_records

    records = to_records(inputs.frame)
    if not records:
        return []
    chosen = choose_images(records, asked, [])
    most = sample or (FEW if sources[0].suffix == ".parquet" and not asked else len(chosen))
    if most < len(chosen):
        click.echo(f"{most:,} of {len(chosen):,} images are drawn; --sample N draws N", err=True)
    return draw_few(chosen, most)


def _raw_names(frame: "pd.DataFrame") -> dict[str, str]:
    """The raw id of each image by its image_id, where it is one that may name a file."""
    from trainer.scores.table import raw_ids

    named = zip(frame["image_id"], raw_ids(frame), strict=True)
    # a header is a stranger's: "../x" is no name for a file
    return {name: raw for name, raw in named if _UID.fullmatch(raw)}


def _write(
    found: "Iterator[tuple[Explained, Pictures] | Reject]", out: Path, names: "Mapping[str, str]"
) -> "tuple[dict[str, dict[str, Any]], list[Reject]]":
    """Write pictures, then boxes; what there is of each image, and why others have nothing.

    `names` has other names for image_ids.
    """
    from dali_pipelines.atomic import replacing

    written: dict[str, dict[str, Any]] = {}
    rejects: list[Reject] = []
    rows: list[dict[str, Any]] = []
    out.mkdir(parents=True, exist_ok=True)
    for item in found:
        if not isinstance(item, tuple):
            rejects.append(item)
            continue
        explained, pictures = item
        name = names.get(explained.record.image_id, explained.record.image_id)
        paths = out / f"{name}.png", out / f"{name}_small.png"
        for path, png in zip(paths, (pictures.large, pictures.small), strict=True):
            with replacing(path) as aside:
                aside.write_bytes(png)
        tags = explained.record.tags
        facts = {"laterality": tags.laterality, "view": tags.view}
        rows += [{"image_id": name} | facts | _row(box, explained.prob) for box in pictures.boxes]
        facts |= {"picture": str(paths[0]), "small": str(paths[1])}
        written[name] = facts | {"prob": explained.prob, "boxes": len(pictures.boxes)}
    with replacing(out / BOXES) as aside, aside.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, _COLUMNS, lineterminator="\n")
        table.writeheader()
        table.writerows(rows)
    return written, rejects


def _row(box: "HeatBox", prob: float) -> dict[str, Any]:
    return {
        "top_px": box.top,
        "left_px": box.left,
        "bottom_px": box.bottom,
        "right_px": box.right,
        "row_px": round(box.row, 1),
        "column_px": round(box.column, 1),
        "heat": round(box.heat, 4),
        "score": round(box.heat * prob, 6),
    }
