"""Batches from finished shards, in the place of a `Loader` that decodes: the same tensors, sooner.

Integers of a shard are display values as the recipe rounds them, so only its last step is left to
do; floats are what the network sees.
"""

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
import torch
from numpy.typing import NDArray

from dali_pipelines.cpu.normalize import normalize
from dali_pipelines.errors import ConfigError
from dali_pipelines.grayscale_curves import DISPLAY_TOP
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.plan import EMPTY, Blocks
from dali_pipelines.prefetch import run_ahead
from dali_pipelines.records import ImageRecord
from dali_pipelines.rejects.rejections import Rejections
from dali_pipelines.shards.plan import content_of
from dali_pipelines.shards.rows import roi_of
from dali_pipelines.shards.settings import INTEGER_MAX
from dali_pipelines.shards.shard_set import ShardSet
from dali_pipelines.stages import Batch, Roi
from dali_pipelines.verdicts import Reason, Reject, RejectError

_BOX: Final = ("crop_x", "crop_y", "crop_w", "crop_h")
_AGAIN: Final = "run `mammo preprocess` on this manifest again"


class ShardLoader:
    """Batches of `records` out of `shards`; a context manager, as `loader.Loader` is one.

    Bit for bit what a Loader on the CPU gives for the shards' recipe. Images that could not be
    prepared are rejects from the start, with the reason that the shards hold. Raises ConfigError
    where the shards lack one of the records, or hold it from other bytes.
    """

    def __init__(
        self, records: Sequence[ImageRecord], shards: ShardSet, settings: LoaderSettings
    ) -> None:
        self._records = records
        self._shards = shards
        self._settings = settings
        self._rejections = Rejections(records)
        self._places = self._find_places()
        columns = [*_BOX, "flipped", "breast_found"]
        values = zip(*(shards.rows[name].tolist() for name in columns), strict=True)
        self._rois = [roi_of(dict(zip(columns, row, strict=True))) for row in values]
        self._run: Iterator[Batch] = iter(())
        self._workers = ThreadPoolExecutor(settings.resolved_threads(), "mammo-shards")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(self._run, Generator):
            self._run.close()
        self._workers.shutdown(cancel_futures=True)

    @property
    def rejects(self) -> list[Reject]:
        """Why records gave no image, in the order of their image_id."""
        return self._rejections.rows

    @property
    def rejects_by_id(self) -> dict[str, Reject]:
        """The same by image_id."""
        return self._rejections.by_id

    def run(self, blocks: Blocks) -> Iterator[Batch]:
        """One batch for each row of `blocks` (B, N), in order; may be left early. One at a time."""
        self._run = run_ahead(self._build(blocks), self._settings.prefetch)
        return self._run

    def _find_places(self) -> list[int | None]:
        """Where each record's image is among those of the shards; None where there is none."""
        contents = dict(zip(self._shards.image_ids, self._shards.rows["content"], strict=True))
        places = {image_id: place for place, image_id in enumerate(self._shards.image_ids)}
        failed = self._shards.failed
        other = 0
        for index, record in enumerate(self._records):
            name = record.image_id
            if name in failed:
                row = failed[name]
                error = RejectError(Reason(row["code"]), row["detail"])
                self._rejections.add(index, row["stage"], error)
            content = failed[name]["content"] if name in failed else contents.get(name)
            other += content != content_of(record)
        if other:
            raise ConfigError(
                f"the shards lack {other:,} of {len(self._records):,} images of the manifest, or "
                f"hold them from other bytes; {_AGAIN}"
            )
        return [places.get(record.image_id) for record in self._records]

    def _build(self, blocks: Blocks) -> Generator[Batch, None, None]:
        for block in blocks:
            yield self._batch(block)

    def _batch(self, indices: NDArray[np.int64]) -> Batch:
        recipe = self._shards.recipe
        images = np.zeros((len(indices), recipe.channels, *recipe.size), np.float32)
        places = [None if k == EMPTY else self._places[k] for k in indices.tolist()]
        filled = [(slot, place) for slot, place in enumerate(places) if place is not None]
        list(self._workers.map(lambda pair: self._fill(images[pair[0]], pair[1]), filled))
        rois: list[Roi | None] = [None] * len(indices)
        for slot, place in filled:
            rois[slot] = self._rois[place]
        dtype: torch.dtype = getattr(torch, recipe.resize.dtype)
        return Batch(
            images=torch.from_numpy(images).to(dtype),
            valid=torch.tensor([place is not None for place in places], dtype=torch.bool),
            indices=indices,
            image_ids=tuple(
                "" if k == EMPTY else self._records[k].image_id for k in indices.tolist()
            ),
            rois=tuple(rois),
        )

    def _fill(self, canvas: NDArray[np.float32], place: int) -> None:
        """The network's numbers (C, H, W) of one image."""
        stored: NDArray[Any] = self._shards.read(place, verify=self._settings.verify)
        if self._shards.dtype not in INTEGER_MAX:
            canvas[:] = stored
            return
        step = DISPLAY_TOP // INTEGER_MAX[self._shards.dtype]
        np.multiply(stored[0], np.float32(step), out=canvas[0])
        normalize(canvas, self._shards.recipe.resize)
