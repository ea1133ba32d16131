"""`mammo montage`: draw contact sheets, each image with its box beside what a recipe makes."""

import json
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

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
    seed_option,
    set_option,
    workers_option,
)
from dali_pipelines.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dali_pipelines.inspection.boxed_images import BoxedImage
    from dali_pipelines.inspection.montage import Cell
    from dali_pipelines.inspection.montage_choice import By, Choice
    from dali_pipelines.recipe import Recipe
    from dali_pipelines.records import ImageRecord
    from dali_pipelines.rejects.limits import RejectLimit
    from dali_pipelines.review import BoxRow, Review
    from dali_pipelines.verdicts import Reject

T = TypeVar("T")

BOXES: Final = "boxes.csv"
SHEET: Final = "sheet-{:03d}.png"


@click.command()
@click.argument(
    "sources", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="DICOM|MANIFEST..."
)
@click.option(
    "-O", "--out", required=True, type=click.Path(file_okay=False, path_type=Path),
    help="The folder of the sheets and of boxes.csv.",
)  # fmt: skip
@click.option(
    "--by", type=click.Choice(["worst", "random", "site", "label"]), default="worst",
    help="The boxes of the lowest quality first, any, by group of machines, or by label.",
)  # fmt: skip
@click.option("--count", type=click.IntRange(min=1), default=48, help="Draw so many images.")
@click.option(
    "--among", type=click.IntRange(min=1), metavar="N", show_default="all",
    help="Look for the worst among so many, drawn at random.",
)  # fmt: skip
@click.option("--per-page", type=click.IntRange(min=1), default=12, help="Images on one sheet.")
@seed_option("Another seed, other images.")
@recipe_option
@set_option()
@review_option
@read_options
@id_key_option("beside the manifest, else beside OUT; suffix .key")
@workers_option()
@max_rejects_option()
@json_option
def command(
    *,
    sources: tuple[Path, ...],
    out: Path,
    by: "By",
    count: int,
    among: int | None,
    per_page: int,
    seed: int,
    recipe: str,
    sets: tuple[str, ...],
    review: "Review | None",
    id_key: Path | None,
    workers: int,
    limit: "RejectLimit",
    as_json: bool,
    **taken: Any,
) -> None:
    r"""Draw contact sheets, each image with its box beside what a recipe makes.

    \b
    mammo montage train.parquet -O sheets --by worst --recipe spr-1st
    mammo montage train.parquet -O sheets --by site --count 60

    Below each pair stand side and view, its image_id, the quality of the box (0 to 1: how much of
    the box is breast, and how much of the breast is in it) and whether a breast was found.
    OUT/boxes.csv has the boxes in px of the file; edit those that are wrong, remove the others, and
    give the table to preprocess, train, predict or preview by --review. What is burned into the
    pixels is drawn.
    """
    from cli.watched import read_watched
    from dali_pipelines.cores import core_count
    from dali_pipelines.inspection.montage_choice import choose_images_by
    from dali_pipelines.manifest_rows import to_records
    from dali_pipelines.recipe import load_recipe
    from dali_pipelines.rejects.table import rejects_beside
    from dali_pipelines.review import reviewed, reviewed_recipe

    if among is not None and by != "worst":
        raise click.UsageError("--among goes with --by worst; --count says how many others draw")
    prepared_by = reviewed_recipe(load_recipe(recipe, sets), review)
    table = rejects_beside(out)
    require_apart([out / BOXES, table], [*sources, id_key])
    require_own_rejects(out)
    _require_no_boxes(out)
    inputs = read_watched(sources, out, None, id_key, **taken)
    records = reviewed(to_records(inputs.frame), review)
    job = _Job(records, prepared_by, workers or core_count(), [])
    most = (among or len(records)) if by == "worst" else count
    choice = choose_images_by(by, inputs.frame, most, seed) if records else []
    looked_at = [records[k] for k, _ in choice]
    if by == "worst":
        choice = _find_worst(job, choice, count)
    how = _how(by, among, seed)
    written = _write(job, choice, out, per_page, how)
    counts = judge_pictures(looked_at, job.rejects, inputs.rejects, table)
    facts = {"sheets": written, "boxes": str(out / BOXES), "recipe_hash": prepared_by.hash}
    if as_json:
        click.echo(json.dumps({**facts, **counts.to_dict()}))
    else:
        click.echo("".join(f"{path}\n" for path in written), nl=False)
    limit.enforce(inputs.lost + len(job.rejects), inputs.lost + len(looked_at))


def _require_no_boxes(out: Path) -> None:
    if (out / BOXES).exists():
        raise ConfigError(
            f"{str(out / BOXES)!r} is there already and may have been edited; choose another folder"
        )


class _Job(NamedTuple):
    """What is looked at and how; `rejects` fills up with why images have no picture."""

    records: "Sequence[ImageRecord]"
    recipe: "Recipe"
    workers: int
    rejects: "list[Reject]"

    def over(
        self, chosen: "Sequence[int]", use: "Callable[[BoxedImage], T]", label: str
    ) -> "Iterator[tuple[int, T]]":
        """What `use` makes of each chosen image that there is, with its place, in order."""
        from cli.progress import progress
        from dali_pipelines.inspection.boxed_images import boxed_images
        from dali_pipelines.verdicts import Reject

        records = [self.records[place] for place in chosen]
        results = boxed_images(records, self.recipe, use, self.workers)
        with progress(len(chosen), label) as bar, closing(results):
            for place, result in zip(chosen, results, strict=True):
                if isinstance(result, Reject):
                    self.rejects.append(result)
                else:
                    yield place, result
                bar.update()


def _find_worst(job: _Job, choice: "Choice", count: int) -> "Choice":
    """Those of the lowest quality, the lowest first, of equal ones by their image_id."""
    found = [
        (quality, job.records[place].image_id, place)
        for place, quality in job.over([k for k, _ in choice], _quality, "look")
    ]
    return [(place, "") for _, _, place in sorted(found)[:count]]


def _quality(boxed: "BoxedImage") -> float:
    return boxed.quality


def _how(by: "By", among: int | None, seed: int) -> str:
    """How images were chosen, for the head of a sheet."""
    if by == "worst":
        few = f" of {among:,} drawn at random, seed {seed}" if among else ""
        return f"worst boxes first{few}"
    return {
        "random": f"drawn at random, seed {seed}",
        "site": f"by group of machines, seed {seed}",
        "label": f"by label, seed {seed}",
    }[by]


def _write(job: _Job, choice: "Choice", out: Path, per_page: int, how: str) -> list[str]:
    """Write the sheets, each as soon as it is full, then the boxes; the paths of the sheets.

    Each is headed by its recipe, its number, and `how` its images were chosen.
    """
    from dali_pipelines.inspection.montage import draw_cell, draw_sheet
    from dali_pipelines.review import write_boxes

    notes = {job.records[place].image_id: words for place, words in choice}

    def drawn(boxed: "BoxedImage") -> "tuple[Cell, BoxRow]":
        name = boxed.record.image_id
        return draw_cell(boxed, job.recipe, notes[name]), (name, boxed.box, boxed.quality)

    pairs = (pair for _, pair in job.over([k for k, _ in choice], drawn, "draw"))
    paths: list[str] = []
    rows: list[BoxRow] = []
    sheets = -(-len(choice) // per_page)  # fewer come where images cannot be read
    while page := list(islice(pairs, per_page)):
        rows += [row for _, row in page]
        number = len(paths) + 1
        title = f"recipe {job.recipe.name} {job.recipe.hash} - sheet {number} of {sheets} - {how}"
        paths.append(_write_sheet(draw_sheet([cell for cell, _ in page], title), out, number))
    if rows:
        write_boxes(rows, out / BOXES)
    return paths


def _write_sheet(png: bytes, out: Path, number: int) -> str:
    from dali_pipelines.atomic import replacing

    out.mkdir(parents=True, exist_ok=True)
    path = out / SHEET.format(number)
    with replacing(path) as aside:
        aside.write_bytes(png)
    return str(path)
