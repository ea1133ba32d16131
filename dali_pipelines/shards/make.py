"""One planned shard to files: what it held stays, the rest is prepared, all in the plan's order."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from dali_pipelines.loader import Loader
from dali_pipelines.plan import EMPTY, Blocks, sequential_blocks
from dali_pipelines.shards.commit import committing, sync_all
from dali_pipelines.shards.containers import Container, open_container
from dali_pipelines.shards.payloads import Payload, encoding_of
from dali_pipelines.shards.plan import PlannedImage, PlannedShard, ShardPlan
from dali_pipelines.shards.rows import (
    UNREADABLE,
    Rows,
    failed_row,
    made_row,
    read_rows,
    roi_of,
    unchanged,
    write_rows,
)
from dali_pipelines.shards.settings import INTEGER_MAX, DType, stored_shape
from dali_pipelines.shards.stored_images import StoredImages, checksum
from dali_pipelines.stages import Batch, Roi

# What a sample of a webdataset says beside its picture.
_TOLD: Final = (
    *("image_id", "laterality", "view", "crop_x", "crop_y", "crop_w", "crop_h"),
    *("flipped", "breast_found", "recipe_hash"),
)

Inspect = Callable[[Path, PlannedShard, Rows], None]


class Held(NamedTuple):
    """An image that a shard holds already."""

    roi: Roi
    images: StoredImages
    row: int


class _Encoded(NamedTuple):
    roi: Roi
    payload: Payload
    crc32: int


@dataclass(frozen=True, slots=True)
class ShardMaker:
    """Makes shards of `plan`; `inspect` sees each before it is committed, and may raise.

    `progress` is called with the number of images that were dealt with. Pictures are encoded in
    `pool`.
    """

    plan: ShardPlan
    loader: Loader
    pool: Executor
    inspect: Inspect
    progress: Callable[[int], None]

    def make(self, shard: PlannedShard) -> None:
        """Commit the shard, which this process has claimed."""
        held = kept(shard, self.plan)
        with committing(shard.folder) as aside:
            rows = self._write(aside, shard, held)
            write_rows(rows, aside)
            sync_all(aside)
            self.inspect(aside, shard, Rows.of(rows))

    def _write(
        self, folder: Path, shard: PlannedShard, held: Mapping[str, Held]
    ) -> list[dict[str, Any]]:
        recipe, settings = self.plan.recipe, self.plan.settings
        recipe_hash = recipe.hash  # which takes 0.1 ms
        fresh = self._fresh([i for i in shard.images if i.record.image_id not in held])
        made: dict[str, dict[str, Any]] = {}
        with open_container(
            folder, settings, stored_shape(recipe, settings), recipe_hash
        ) as container:
            for image in shard.images:
                name = image.record.image_id
                found = self._again(held[name]) if name in held else next(fresh)
                if found is not None:
                    made[name] = _stored(container, image, found, recipe_hash) | {"row": len(made)}
                self.progress(1)
        rejects = self.loader.rejects_by_id
        return [
            made.get(image.record.image_id)
            or failed_row(image, rejects[image.record.image_id], recipe_hash)
            for image in shard.images
        ]

    def _again(self, held: Held) -> _Encoded:
        return self._encode(held.images[held.row], held.roi)

    def _fresh(self, todo: list[PlannedImage]) -> Iterator[_Encoded | None]:
        """Each of these images, prepared and encoded; None where none came."""
        settings = self.plan.settings
        for batch in self.loader.run(_blocks([i.index for i in todo], settings.batch)):
            images = as_stored(batch.images, settings.dtype)
            valid = np.flatnonzero(batch.valid.numpy()).tolist()
            jobs = {k: self.pool.submit(self._encode, images[k], _roi(batch, k)) for k in valid}
            for k in np.flatnonzero(batch.indices != EMPTY).tolist():
                yield jobs[k].result() if k in jobs else None

    def _encode(self, image: NDArray[Any], roi: Roi) -> _Encoded:
        encode = encoding_of(self.plan.settings).encode
        return _Encoded(roi, encode(image), checksum(image))


def kept(shard: PlannedShard, plan: ShardPlan) -> dict[str, Held]:
    """The planned images that the shard's folder holds whole, of the same content, by image_id."""
    try:
        rows = read_rows(shard.folder)
    except UNREADABLE:
        return {}
    shape = stored_shape(plan.recipe, plan.settings)
    images = StoredImages(shard.folder, rows, plan.settings, shape)
    return {
        row["image_id"]: Held(roi_of(row), images, row["row"])
        for row in unchanged(rows, shard, plan.recipe.hash)
        if is_whole(images, row["row"], row["crc32"])
    }


def is_whole(images: StoredImages, row: int, crc32: int) -> bool:
    """Whether the image can be read, and its numbers are those that were written."""
    try:
        return checksum(images[row]) == crc32
    except UNREADABLE:
        return False


def as_stored(images: torch.Tensor, dtype: DType) -> NDArray[Any]:
    """Images on the host: integers from display values 0 ... 1, to the nearest (even); or floats.

    Rounded on the device they are on, which all do alike: one product and one rounding (IEEE 754).
    """
    if dtype in INTEGER_MAX:
        images = torch.round(images * INTEGER_MAX[dtype])
    stored: NDArray[Any] = images.to(getattr(torch, dtype)).cpu().numpy()
    return stored


def _stored(
    container: Container, image: PlannedImage, found: _Encoded, recipe_hash: str
) -> dict[str, Any]:
    """The row of the image, once its bytes are written."""
    row = made_row(image, found.roi, recipe_hash)
    place = container.add(image.record.image_id, found.payload, {key: row[key] for key in _TOLD})
    return row | {"offset": place, "bytes": len(found.payload), "crc32": found.crc32}


def _roi(batch: Batch, slot: int) -> Roi:
    roi = batch.rois[slot]
    assert roi is not None
    return roi


def _blocks(indices: list[int], batch: int) -> Blocks:
    blocks = sequential_blocks(len(indices), batch)
    return np.where(blocks == EMPTY, EMPTY, np.array(indices, np.int64)[blocks])
