"""Boxes by hand: a table that says for some images what to cut out, whatever the method finds.

A CSV as `mammo montage` writes it and a person edits it: image_id, top, bottom, left, right, and
if it likes mirror (1 or 0), in px of the file, rows [top, bottom) and columns [left, right). Other
columns are ignored. It changes pixels, so a digest of it is part of the recipe's hash: shards and
checkpoints know by which boxes they were made.

A model that learned with a table sees other images through the method alone. Its own images are
cut as they were then only where the same table is given again.
"""

import csv
import hashlib
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from dali_pipelines.adapters.table import Table, differing_lines
from dali_pipelines.adapters.table_text import read_table
from dali_pipelines.atomic import replacing
from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import GivenBox, ImageRecord
from dali_pipelines.stages import Roi

SIDES: Final = ("top", "bottom", "left", "right")
COLUMNS: Final = ("image_id", *SIDES, "mirror")
_MOST_PX: Final = (1 << 16) - 1  # of Rows and Columns, which are unsigned 16-bit (PS3.3 C.7.6.3.1)

BoxRow = tuple[str, Roi, float]  # image_id, box in px of the file, quality 0 ... 1

log = logging.getLogger("mammo.review")


@dataclass(frozen=True, slots=True)
class Review:
    """The boxes of one table by image_id, and the line that each comes from."""

    boxes: Mapping[str, GivenBox]
    lines: Mapping[str, int]
    name: str

    @property
    def digest(self) -> str:
        """SHA-256 of what the table says: one line an image, in the order of their ids."""
        rows = (
            ",".join(map(str, (name, b.top, b.bottom, b.left, b.right, b.mirror)))
            for name, b in sorted(self.boxes.items())
        )
        return hashlib.sha256("\n".join(rows).encode()).hexdigest()

    def require_inside(self, records: Iterable[ImageRecord]) -> None:
        """Raise DatasetError, naming the lines, where a box leaves the frame of its image."""
        outside = [
            self.lines[record.image_id]
            for record in records
            if (box := self.boxes.get(record.image_id)) is not None
            and (box.bottom > record.stream.height or box.right > record.stream.width)
        ]
        if outside:
            raise DatasetError(
                f"{self.name!r}: each box must lie in the frame of its image, in px of the file; "
                f"{differing_lines(outside)}"
            )


def read_review(path: Path) -> Review:
    """The boxes of a CSV. ConfigError where it cannot be read, DatasetError where it is wrong."""
    table = read_table(path, COLUMNS)
    names = table.names("image_id")
    sides = [_whole(table, name) for name in SIDES]
    mirrors = table.labels("mirror") if "mirror" in table else [None] * len(names)
    last = {name: row for row, name in enumerate(names)}
    twice = [row for row, name in enumerate(names) if last[name] != row]
    table.require_none(twice, "each image may have one box only")
    flips = [None if mirror is None else bool(mirror) for mirror in mirrors]
    boxes = [GivenBox(*values) for values in zip(*sides, flips, strict=True)]
    empty = [k for k, b in enumerate(boxes) if b.top >= b.bottom or b.left >= b.right]
    table.require_none(empty, "top must lie above bottom and left before right")
    return Review(
        dict(zip(names, boxes, strict=True)),
        dict(zip(names, table.lines, strict=True)),
        path.name,
    )


def write_boxes(rows: Iterable[BoxRow], path: Path) -> None:
    """Write a table for `read_review`, with the quality of each box and whether one was found."""
    with replacing(path) as aside, aside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*COLUMNS, "quality", "found"])
        for name, box, quality in rows:
            sides = [getattr(box, side) for side in SIDES]
            writer.writerow([name, *sides, int(box.mirror), f"{quality:.4f}", int(box.found)])


def reviewed(records: Sequence[ImageRecord], review: Review | None) -> list[ImageRecord]:
    """The records, with its box each that the table names; DatasetError for one outside a frame.

    Rows of the table that name none of them are left alone: the records may be one fold of many.
    """
    if review is None:
        return list(records)
    review.require_inside(records)
    made = [replace(record, box=review.boxes.get(record.image_id)) for record in records]
    met = sum(record.box is not None for record in made)
    if not met:
        log.warning(
            "none of the %d boxes by hand is of an image here; they may be of other images, or ids "
            "made with another key",
            len(review.boxes),
        )
    log.info("boxes by hand: %d of %d are of images here", met, len(review.boxes))
    return made


def reviewed_recipe(recipe: Recipe, review: Review | None) -> Recipe:
    """The recipe with the table's digest; ConfigError where it has that of another table.

    One that has none takes any, so boxes of new images may be put right for a model that learned
    without; its hash is then another, as predictions tell. Without a table a recipe that had one
    stays as it is, with a warning: images that the table names are then cut by the method.
    """
    if review is None:
        if recipe.review:
            log.warning(
                "recipe %s %s had boxes by hand for some images, and no table is given: all are "
                "cut by its method; give the table by --review if those images are among them",
                recipe.name,
                recipe.hash,
            )
        return recipe
    if recipe.review not in {"", review.digest}:
        raise ConfigError(
            f"{review.name!r} is not the table of boxes that recipe {recipe.name} {recipe.hash} "
            "was made with; give that one, or none to have all images cut by its method"
        )
    return replace(recipe, review=review.digest)


def _whole(table: Table, name: str) -> list[int]:
    """A column in which each cell is a whole number of px."""
    cells = table.whole_numbers(name, _MOST_PX)
    empty = [row for row, cell in enumerate(cells) if cell is None]
    table.require_none(empty, f"column {name!r} must hold a number of px in each row")
    return [cell for cell in cells if cell is not None]
