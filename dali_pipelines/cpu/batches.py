"""Read blocks in, batches out, all on the CPU; the twin of `gpu/batches.py`.

An image is decoded and prepared by one worker in one go, while its values are in the cache, for one
recipe after another; only what DALI decodes comes in batches. The next block is begun before
the one before is handed out, so that no worker waits at the end of a block. Every batch is new
memory.
"""

from collections import defaultdict, deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from dali_pipelines.decoder import Decoder, Job
from dali_pipelines.frame_cut import to_file_px
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.pictures import Look, Picture, Pictures
from dali_pipelines.plan import EMPTY
from dali_pipelines.read_ahead import ReadBlock
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.rejects.rejections import Rejections
from dali_pipelines.shading import image_shading
from dali_pipelines.stages import Batch, Pixels, Roi
from dali_pipelines.steps import load_steps
from dali_pipelines.verdicts import RejectError, guarded

_Images = NDArray[np.float32]
_Jobs = list[tuple[tuple[int, ...], Job]]  # the pictures of one image, and which looks are at each


@dataclass(frozen=True, slots=True)
class _Stopped:
    """The stage that an image came to, and why no further."""

    stage: str
    error: RejectError


class Batches:
    """Makes the batches of a loader on the CPU; `counts` says how many images went where."""

    def __init__(
        self,
        records: Sequence[ImageRecord],
        recipes: Sequence[Recipe],
        settings: LoaderSettings,
        rejections: Rejections,
    ) -> None:
        self._records = records
        self._recipes = recipes
        self._rejections = rejections
        self._pictures = Pictures(recipes)
        self._steps = load_steps("cpu")
        self._workers = ThreadPoolExecutor(settings.resolved_threads(), "mammo-work")
        self._decoder = Decoder(settings, recipes[0], self._workers, recipes[1:])
        self.counts = self._decoder.counts

    def build(self, groups: Iterable[list[ReadBlock]]) -> Generator[tuple[Batch, ...], None, None]:
        """One batch a recipe for each block, in order."""
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

    def lend(self, batches: Iterator[tuple[Batch, ...]]) -> Iterator[tuple[Batch, ...]]:
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
        wanted = [self._pictures.of(block) for block in group]
        jobs = iter(self._decoder.start([one.item for pictures in wanted for one in pictures]))
        return [
            self._begin_block(block, [(one, next(jobs)) for one in pictures])
            for block, pictures in zip(group, wanted, strict=True)
        ]

    def _begin_block(
        self, block: ReadBlock, pictures: Sequence[tuple[Picture, Job | None]]
    ) -> "_Begun":
        count = len(block.indices)
        begun = _Begun(
            block.indices,
            [np.zeros((count, one.channels, *one.size), np.float32) for one in self._recipes],
        )
        jobs: defaultdict[int, _Jobs] = defaultdict(list)
        for picture, job in pictures:
            if isinstance(picture.item, RejectError):
                self._rejections.add(int(block.indices[picture.place]), "read", picture.item)
            elif job is not None:
                jobs[picture.place].append((picture.looks, job))
        for place, of_place in jobs.items():
            record = self._records[int(block.indices[place])]
            outs = [images[place : place + 1] for images in begun.images]
            begun.jobs[place] = self._workers.submit(self._make, of_place, record, outs)
        return begun

    def _make(
        self, jobs: _Jobs, record: ImageRecord, outs: list[_Images]
    ) -> tuple[Roi, ...] | _Stopped:
        """Decode and prepare one image into `outs`, one a recipe; what each look cut out of it.

        Or what the first that cuts nothing out stopped at; then all are zeros.
        """
        made: dict[int, Roi | _Stopped] = {}
        for looks, job in jobs:
            made |= self._make_of_one_picture(job, looks, record, outs)
        rois = list[Roi]()
        for position in range(len(self._pictures.looks)):
            one = made[position]
            if isinstance(one, _Stopped):
                for out in outs:
                    out[:] = 0
                return one
            rois.append(one)
        return tuple(rois)

    def _make_of_one_picture(
        self, job: Job, looks: tuple[int, ...], record: ImageRecord, outs: list[_Images]
    ) -> dict[int, Roi | _Stopped]:
        pixels = guarded(job)
        if isinstance(pixels, RejectError):
            return dict.fromkeys(looks, _Stopped("decode", pixels))
        made: dict[int, Roi | _Stopped] = {}
        for position in looks:
            look = self._pictures.looks[position]
            roi = guarded(partial(self._prepare, pixels, record, look, outs))
            made[position] = _Stopped("prepare", roi) if isinstance(roi, RejectError) else roi
        return made

    def _prepare(self, pixels: Pixels, record: ImageRecord, look: Look, outs: list[_Images]) -> Roi:
        recipe = look.recipe
        shadings = [image_shading(record, recipe)]
        shown, rois = self._steps.show([pixels], shadings, recipe, [record.box])
        for number in look.numbers:
            self._steps.resize(shown, rois, self._recipes[number].resize, outs[number])
        return to_file_px(rois[0], pixels.reduce, record.stream, recipe.decode)

    def _finish(self, begun: "_Begun") -> tuple[Batch, ...]:
        rois: dict[int, tuple[Roi, ...]] = {}
        for place, job in begun.jobs.items():
            made = job.result()
            if isinstance(made, _Stopped):
                self._rejections.add(int(begun.indices[place]), made.stage, made.error)
            else:
                rois[place] = made
        return tuple(
            self._batch(begun, number, {place: of_image[look] for place, of_image in rois.items()})
            for number, look in enumerate(self._pictures.look_of)
        )

    def _batch(self, begun: "_Begun", number: int, rois: dict[int, Roi]) -> Batch:
        """The batch of one recipe; `rois` are those of the places that hold an image."""
        indices = begun.indices.tolist()
        dtype: torch.dtype = getattr(torch, self._recipes[number].resize.dtype)
        return Batch(
            images=torch.from_numpy(begun.images[number]).to(dtype),
            valid=torch.tensor([place in rois for place in range(len(indices))], dtype=torch.bool),
            indices=begun.indices,
            image_ids=tuple("" if k == EMPTY else self._records[k].image_id for k in indices),
            rois=tuple(rois.get(place) for place in range(len(indices))),
        )


@dataclass(slots=True)
class _Begun:
    """A block on its way: its indices, images (N, C, H, W) to fill, one a recipe, and the jobs."""

    indices: NDArray[np.int64]
    images: list[_Images]
    jobs: dict[int, Future[tuple[Roi, ...] | _Stopped]] = field(default_factory=dict)

    def cancel(self) -> None:
        for job in self.jobs.values():
            job.cancel()
