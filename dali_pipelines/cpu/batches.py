"""Read blocks in, batches out, all on the CPU; the twin of `gpu/batches.py`.

An image is decoded and prepared by one worker in one go, while its values are in the cache; only
what DALI decodes comes in batches. The next block is begun before the one before is handed out, so
that no worker waits at the end of a block. Every batch is new memory.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from dali_pipelines.decoder import Decoded, Decoder
from dali_pipelines.frame_cut import to_file_px
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.plan import EMPTY
from dali_pipelines.read_ahead import ReadBlock
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.rejects.rejections import Rejections
from dali_pipelines.shading import image_shading
from dali_pipelines.stages import Batch, Pixels, Roi
from dali_pipelines.steps import load_steps
from dali_pipelines.verdicts import RejectError, guarded

_Made = Roi | RejectError


class Batches:
    """Makes the batches of a loader on the CPU; `counts` says how many images went where."""

    def __init__(
        self,
        records: Sequence[ImageRecord],
        recipe: Recipe,
        settings: LoaderSettings,
        rejections: Rejections,
    ) -> None:
        self._records = records
        self._recipe = recipe
        self._rejections = rejections
        self._steps = load_steps("cpu")
        self._workers = ThreadPoolExecutor(settings.resolved_threads(), "mammo-work")
        self._decoder = Decoder(settings, recipe, self._workers)
        self.counts = self._decoder.counts

    def build(self, groups: Iterable[list[ReadBlock]]) -> Generator[Batch, None, None]:
        """One batch for each block, in order."""
        begun: deque[_Begun] = deque()
        try:
            for group in groups:
                begun.extend(self._begin(group))
                while len(begun) > len(group):
                    yield self._finish(begun.popleft())
            while begun:
                yield self._finish(begun.popleft())
        finally:
            for left in begun:
                left.cancel()

    def lend(self, batches: Iterator[Batch]) -> Iterator[Batch]:
        """The batches, for the caller to keep."""
        return batches

    def stop(self) -> None:
        """Have a batch under way come to an end soon, as an error."""
        self._decoder.stop()

    def close(self) -> None:
        """End the threads and the decoders."""
        self._workers.shutdown(cancel_futures=True)
        self._decoder.close()

    def _begin(self, group: list[ReadBlock]) -> "list[_Begun]":
        places = [item for block in group for item in block.encoded]
        jobs = iter(self._decoder.start(places))
        return [self._begin_block(block, jobs) for block in group]

    def _begin_block(
        self, block: ReadBlock, jobs: "Iterator[Callable[[], Decoded] | None]"
    ) -> "_Begun":
        images = np.zeros((len(block.indices), self._recipe.channels, *self._recipe.size), "f4")
        begun = _Begun(block.indices, images)
        for slot, (item, job) in enumerate(zip(block.encoded, jobs, strict=False)):
            if isinstance(item, RejectError):
                self._rejections.add(int(block.indices[slot]), "read", item)
            elif job is not None:
                record = self._records[int(block.indices[slot])]
                make = partial(self._make, job, record, images[slot : slot + 1])
                begun.jobs[slot] = self._workers.submit(make)
        return begun

    def _make(
        self, job: "Callable[[], Decoded]", record: ImageRecord, out: NDArray[np.float32]
    ) -> tuple[str, _Made]:
        """Decode and prepare one image into `out`; the stage that it came to."""
        pixels = guarded(job)
        if not isinstance(pixels, Pixels):
            assert pixels is not None
            return "decode", pixels
        made = guarded(partial(self._prepare, pixels, record, out))
        if isinstance(made, RejectError):
            out[:] = 0
        return "prepare", made

    def _prepare(self, pixels: Pixels, record: ImageRecord, out: NDArray[np.float32]) -> Roi:
        shading = image_shading(record, self._recipe)
        (roi,) = self._steps.prepare([pixels], [shading], self._recipe, out, [record.box])
        return to_file_px(roi, pixels.reduce, record.stream, self._recipe.decode)

    def _finish(self, begun: "_Begun") -> Batch:
        count = len(begun.indices)
        rois: list[Roi | None] = [None] * count
        for slot, job in begun.jobs.items():
            stage, made = job.result()
            if isinstance(made, RejectError):
                self._rejections.add(int(begun.indices[slot]), stage, made)
            else:
                rois[slot] = made
        dtype: torch.dtype = getattr(torch, self._recipe.resize.dtype)
        return Batch(
            images=torch.from_numpy(begun.images).to(dtype),
            valid=torch.tensor([roi is not None for roi in rois], dtype=torch.bool),
            indices=begun.indices,
            image_ids=tuple(
                "" if k == EMPTY else self._records[k].image_id for k in begun.indices.tolist()
            ),
            rois=tuple(rois),
        )


class _Begun:
    """A block on its way: its indices, the images (N, C, H, W) to fill, and a job for each slot."""

    def __init__(self, indices: NDArray[np.int64], images: NDArray[Any]) -> None:
        self.indices = indices
        self.images = images
        self.jobs: dict[int, Future[tuple[str, _Made]]] = {}

    def cancel(self) -> None:
        for job in self.jobs.values():
            job.cancel()
