"""The rows of a shard <-> rows.parquet: one for each planned image, also where none came of it.

Rows name an image by its `image_id` alone, so a shard may leave the house that its paths and
patients stay in. The bytes of the file depend on the rows alone.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import pyarrow as pa
import pyarrow.parquet as pq

from dali_pipelines.shards.plan import PlannedImage, PlannedShard, label_of
from dali_pipelines.stages import Roi
from dali_pipelines.verdicts import Reason, Reject, Status

_ROWS: Final = "rows.parquet"
UNREADABLE: Final = (OSError, EOFError, ValueError, KeyError)  # of a damaged file
_NO_ROW: Final = -1

# `row` counts the images of the shard, -1 where there is none. `offset` and `bytes` tell where in
# its file an image lies, `crc32` (zlib's) is of its numbers as little-endian bytes in (C, H, W).
# `content` stands for the codestream and how it is to be read (`plan.PlannedImage`).
SCHEMA: Final = pa.schema(
    {
        "image_id": pa.string(),
        "laterality": pa.string(),
        "view": pa.string(),
        "status": pa.string(),
        "stage": pa.string(),
        "code": pa.string(),
        "detail": pa.string(),
        "crop_x": pa.int32(),
        "crop_y": pa.int32(),
        "crop_w": pa.int32(),
        "crop_h": pa.int32(),
        "flipped": pa.bool_(),
        "breast_found": pa.bool_(),
        "content": pa.string(),
        "recipe_hash": pa.string(),
        "row": pa.int32(),
        "offset": pa.int64(),
        "bytes": pa.int64(),
        "crc32": pa.int64(),
    }
)

Row = Mapping[str, Any]


class Rows:
    """The rows of a shard, by column: where shards are many, frames of pandas cost seconds.

    `made` are the places of those that have an image, in the order of their `row`.
    """

    def __init__(self, columns: Mapping[str, list[Any]]) -> None:
        self._columns = columns
        self.made = [place for place, row in enumerate(columns["row"]) if row >= 0]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> Self:
        """The rows that these are."""
        return cls({name: [row[name] for row in rows] for name in SCHEMA.names})

    def __len__(self) -> int:
        return len(self._columns["row"])

    def __getitem__(self, column: str) -> list[Any]:
        return self._columns[column]

    def at(self, place: int) -> dict[str, Any]:
        """The row at that place."""
        return {name: values[place] for name, values in self._columns.items()}

    def failed(self) -> list[dict[str, Any]]:
        """The rows without an image."""
        return [self.at(place) for place, row in enumerate(self["row"]) if row < 0]

    def reasons(self) -> list[Reason]:
        """Why images are missing, one reason each."""
        return [Reason(code) for code in self["code"] if code]


def made_row(image: PlannedImage, roi: Roi, recipe_hash: str) -> dict[str, Any]:
    """The row of a prepared image, but for where it lies."""
    return _row(image, roi, recipe_hash) | {"status": str(Status.OK)}


def failed_row(image: PlannedImage, reject: Reject, recipe_hash: str) -> dict[str, Any]:
    """The row of an image that could not be made."""
    nowhere = {"row": _NO_ROW, "offset": _NO_ROW, "bytes": 0, "crc32": 0}
    why = {"stage": reject.stage, "code": str(reject.reason), "detail": reject.detail}
    row = _row(image, Roi(0, 0, 0, 0, found=False), recipe_hash)
    return row | {"status": str(Status.FAILED)} | why | nowhere


def roi_of(row: Row) -> Roi:
    """What `made_row` was given, but for a mask."""
    top, left = int(row["crop_y"]), int(row["crop_x"])
    bottom, right = top + int(row["crop_h"]), left + int(row["crop_w"])
    return Roi(top, bottom, left, right, bool(row["flipped"]), bool(row["breast_found"]))


def write_rows(rows: Sequence[Row], folder: Path) -> None:
    """Write the rows of a shard into its folder."""
    # Arrow's own files would lose the number of a system error, see `main._advice`.
    with (folder / _ROWS).open("wb") as file:
        pq.write_table(pa.Table.from_pylist(list(rows), SCHEMA), file)


def read_rows(folder: Path) -> Rows:
    """The rows of a shard, in the order of the plan; UNREADABLE where there are none."""
    return Rows(read_table(folder / _ROWS).select(SCHEMA.names).to_pydict())


def read_table(path: Path) -> pa.Table:
    """The table in a parquet file; UNREADABLE where there is none."""
    # By no threads of Arrow's own, see `manifest.read_manifest`.
    data = pa.BufferReader(path.read_bytes())
    return pq.ParquetFile(data, pre_buffer=False).read(use_threads=False)


def is_planned(rows: Rows, shard: PlannedShard, recipe_hash: str) -> bool:
    """Whether these are the rows of the images that the shard is to hold."""
    labels = list(zip(rows["laterality"], rows["view"], strict=True))
    return (
        rows["image_id"] == [image.record.image_id for image in shard.images]
        and rows["content"] == [image.content for image in shard.images]
        and labels == [label_of(image.record) for image in shard.images]
        and set(rows["recipe_hash"]) == {recipe_hash}
    )


def unchanged(rows: Rows, shard: PlannedShard, recipe_hash: str) -> list[dict[str, Any]]:
    """The rows of images that the shard is to hold, and that are of the same content already."""
    planned = {image.record.image_id: image.content for image in shard.images}
    return [
        row
        for row in map(rows.at, rows.made)
        if planned.get(row["image_id"]) == row["content"] and row["recipe_hash"] == recipe_hash
    ]


def _row(image: PlannedImage, roi: Roi, recipe_hash: str) -> dict[str, Any]:
    laterality, view = label_of(image.record)
    return {
        "image_id": image.record.image_id,
        "laterality": laterality,
        "view": view,
        "stage": "",
        "code": "",
        "detail": "",
        "crop_x": roi.left,
        "crop_y": roi.top,
        "crop_w": roi.width,
        "crop_h": roi.height,
        "flipped": roi.mirror,
        "breast_found": roi.found,
        "content": image.content,
        "recipe_hash": recipe_hash,
    }
