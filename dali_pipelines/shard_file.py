"""One shard: prepared images and a table of rows, committed by one rename.

A shard folder holds `images.safetensors` (tensor "images") or `images.npy`, (N, C, H, W), and
`rows.parquet` with one row for each planned image, also those that gave none. Rows name an image
by its `image_id` alone, so a shard may leave the house that its paths and patients stay in.
"""

import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dali_pipelines.atomic import sync
from dali_pipelines.records import ImageRecord
from dali_pipelines.shard_images import (
    UNREADABLE,
    Format,
    count_images,
    read_images,
    save_images,
)
from dali_pipelines.stages import Batch, Roi
from dali_pipelines.verdicts import Reason, Reject, Status

DType = Literal["uint8", "uint16", "float16", "float32"]
INTEGER_MAX: Final = {"uint8": 255, "uint16": 65535}
_NO_ROW: Final = -1

Held = tuple[Mapping[Any, Any], NDArray[Any]]  # row and image (C, H, W)


@dataclass(frozen=True, slots=True)
class ShardWriter:
    """Writes shards of one kind. Integers hold display values over their full range."""

    format: Format
    dtype: DType
    recipe_hash: str

    def commit(
        self,
        folder: Path,
        planned: Sequence[ImageRecord],
        batches: Iterable[Batch],
        rejects: Mapping[str, Reject],
        held: Mapping[str, Held],
    ) -> None:
        """Write `folder` aside and rename it into place: it exists whole or not at all.

        Of the `planned` images it holds those of `batches` and those that it `held` before.
        `rejects` is looked up by image_id after the last batch, so it may fill up meanwhile.
        """
        made, empty = dict(held), np.empty(0, self.dtype)
        records = {record.image_id: record for record in planned}
        for batch in batches:
            stored = self._as_stored(batch.images.float().cpu().numpy())
            empty = stored[:0]
            for k in np.flatnonzero(batch.valid.numpy()):
                record = records[batch.image_ids[k]]
                made[record.image_id] = (_row(record, batch.rois[k], None), stored[k])
        images = [made[image_id][1] for image_id in records if image_id in made]
        rows = [
            made[record.image_id][0]
            if record.image_id in made
            else _row(record, None, rejects.get(record.image_id))
            for record in planned
        ]
        self._commit(folder, np.stack(images) if images else empty, rows)

    def _commit(
        self, folder: Path, images: NDArray[Any], rows: Sequence[Mapping[str, Any]]
    ) -> None:
        aside = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        try:
            save_images(images, aside, self.format, self.recipe_hash)
            self._write_rows(aside, rows)
            for file in aside.iterdir():
                sync(file)
            shutil.rmtree(folder, ignore_errors=True)  # one that is not settled
            aside.rename(folder)
            sync(folder.parent)
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _write_rows(self, folder: Path, rows: Sequence[Mapping[str, Any]]) -> None:
        frame = pd.DataFrame([{**row, "recipe_hash": self.recipe_hash} for row in rows])
        frame["row"] = np.where(
            frame["status"] == Status.OK, (frame["status"] == Status.OK).cumsum() - 1, _NO_ROW
        )
        with (folder / "rows.parquet").open("wb") as file:  # see `manifest.write_manifest`
            frame.to_parquet(file, index=False)

    def _as_stored(self, images: NDArray[np.float32]) -> NDArray[Any]:
        """Integers from display values 0 ... 1, floats as they are."""
        if self.dtype in INTEGER_MAX:
            return np.rint(images * INTEGER_MAX[self.dtype]).astype(self.dtype)
        return images.astype(self.dtype)


def is_settled(folder: Path, *, retry_failed: bool = False) -> bool:
    """Whether a shard is there with its images, and nothing in it would end otherwise today.

    What failed for a reason that may pass would; with `retry_failed` whatever failed is to be tried
    again.
    """
    try:
        rows, images = read_rows(folder), count_images(folder)
    except UNREADABLE:
        return False
    failed = [Reason(code) for code in rows["code"] if code]
    if images != len(rows) - len(failed):
        return False
    return not any(retry_failed or reason.may_pass for reason in failed)


def kept(folder: Path) -> dict[str, Held]:
    """Row and image (C, H, W) of each image that a shard holds, by image_id; {} if it is damaged.

    They are of the same pixels as any that would be made now: their folder is of one manifest.
    """
    try:
        rows, images = read_rows(folder), read_images(folder)
    except UNREADABLE:
        return {}
    made = [dict(row) for row in rows.to_dict("records") if row["status"] == Status.OK]
    if len(made) != len(images):
        return {}
    return {row["image_id"]: (row, images[row["row"]]) for row in made}


def read_rows(folder: Path) -> pd.DataFrame:
    """The rows of a committed shard, one for each planned image; `row` is -1 where none came."""
    with (folder / "rows.parquet").open("rb") as file:
        return pd.read_parquet(file)


def _row(record: ImageRecord, roi: Roi | None, reject: Reject | None) -> dict[str, Any]:
    """The row of one image, or of one that could not be made."""
    box = roi or Roi(0, 0, 0, 0, found=False)
    return {
        "image_id": record.image_id,
        "laterality": record.tags.laterality,
        "view": record.tags.view,
        "status": Status.OK if roi else Status.FAILED,
        "stage": reject.stage if reject else "",
        "code": reject.reason if reject else "",
        "detail": reject.detail if reject else "",
        "crop_x": box.left,
        "crop_y": box.top,
        "crop_w": box.width,
        "crop_h": box.height,
        "flipped": box.mirror,
        "breast_found": box.found,
    }
