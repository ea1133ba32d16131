"""Blocks of indices in, batches of tensors out: the whole way of the data behind one iterator.

Reader threads fetch codestreams ahead, a producer thread decodes and prepares whole batches ahead
of the caller. One bad file costs one slot of one batch: the slot is marked in `Batch.valid`, the
reason becomes a row of `rejects`, all else goes on. Every batch is new memory: keep what you like.
"""

import itertools
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from types import TracebackType
from typing import Literal, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from dali_pipelines.decoder import Decoder
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.plan import EMPTY, Blocks
from dali_pipelines.prefetch import run_ahead
from dali_pipelines.reader import read_encoded
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import Batch, Encoded, ImageRecord, Pixels, Roi
from dali_pipelines.steps import Device, load_steps
from dali_pipelines.verdicts import Reason, Reject, RejectError

A = TypeVar("A")
R = TypeVar("R")


class Loader:
    """Prepared batches of `records` under one recipe; a context manager.

    `rejects_by_id` fills up with one Reject for each record that gave no image, `counts` says how
    many images each decoder took. Raises DeviceError where the device cannot prepare images.
    """

    def __init__(
        self,
        records: Sequence[ImageRecord],
        recipe: Recipe,
        settings: LoaderSettings | None = None,
        device: Literal["auto"] | Device = "auto",
    ) -> None:
        self.records = records
        self.recipe = recipe
        self._settings = settings or LoaderSettings()
        self._steps = load_steps("cpu" if device == "auto" else device)
        self.rejects_by_id: dict[str, Reject] = {}
        self._workers = ThreadPoolExecutor(self._settings.resolved_threads(), "mammo-work")
        self._readers = ThreadPoolExecutor(self._settings.readers, "mammo-read")
        self._decoder = Decoder(self._settings.resolved_threads(), self._workers)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the threads and the decoders."""
        self._readers.shutdown(cancel_futures=True)
        self._workers.shutdown(cancel_futures=True)
        self._decoder.close()

    @property
    def rejects(self) -> list[Reject]:
        """Why records gave no image, by image_id."""
        return [self.rejects_by_id[image_id] for image_id in sorted(self.rejects_by_id)]

    @property
    def counts(self) -> dict[str, int]:
        """Images by decoder and kind of codestream, such as {"dali j2k": 96}."""
        return dict(self._decoder.counts)

    def run(self, blocks: Blocks) -> Iterator[Batch]:
        """One batch for each row of `blocks` (B, N), in order; may be left early."""
        return run_ahead(self._batches(blocks), self._settings.prefetch)

    def _batches(self, blocks: Blocks) -> Generator[Batch, None, None]:
        pending: deque[list[Future[Encoded | RejectError] | None]] = deque()
        ahead = iter(blocks)
        try:
            for indices in blocks:
                while len(pending) <= self._settings.prefetch:
                    upcoming = next(ahead, None)
                    if upcoming is None:
                        break
                    pending.append([self._submit_read(int(index)) for index in upcoming])
                reads = [read.result() if read else None for read in pending.popleft()]
                yield self._build_batch(indices, reads)
        finally:
            for read in itertools.chain.from_iterable(pending):
                if read is not None:
                    read.cancel()

    def _submit_read(self, index: int) -> "Future[Encoded | RejectError] | None":
        if index == EMPTY:
            return None
        return self._readers.submit(_guarded, read_encoded, self.records[index])

    def _build_batch(
        self, indices: NDArray[np.int64], encoded: list[Encoded | RejectError | None]
    ) -> Batch:
        """Decode and prepare one block; slots without an image stay zero and not valid."""
        images = torch.zeros((len(indices), self.recipe.channels, *self.recipe.size))
        valid = torch.zeros(len(indices), dtype=torch.bool)
        out = images.numpy()
        jobs = []
        for slot, pixels in enumerate(self._decoder.decode(encoded)):
            index = int(indices[slot])
            if isinstance(pixels, Pixels):
                record = self.records[index]
                job = partial(self._steps.prepare, [pixels], [record], self.recipe)
                jobs.append((slot, self._workers.submit(_guarded, job, out[slot : slot + 1])))
            elif isinstance(pixels, RejectError):
                stage = "read" if encoded[slot] is pixels else "decode"
                self._reject(index, stage, pixels)
        rois: list[Roi | None] = [None] * len(indices)
        for slot, future in jobs:
            prepared = future.result()
            if isinstance(prepared, RejectError):
                self._reject(int(indices[slot]), "prepare", prepared)
                out[slot] = 0
            else:
                rois[slot] = prepared[0]
                valid[slot] = True
        ids = tuple("" if i == EMPTY else self.records[i].image_id for i in indices.tolist())
        return Batch(images, valid, indices, ids, tuple(rois))

    def _reject(self, index: int, stage: str, error: RejectError) -> None:
        record = self.records[index]
        self.rejects_by_id[record.image_id] = Reject(
            path=record.location.path,
            member=record.location.member,
            image_id=record.image_id,
            stage=stage,
            reason=error.reason,
            detail=error.detail,
        )


def _guarded(step: Callable[[A], R], argument: A) -> R | RejectError:
    """What the step gives, or the reason why this sample has none: the boundary of one file."""
    try:
        return step(argument)
    except RejectError as error:
        return error
    except Exception as error:  # noqa: BLE001 - whatever one file does, the others go on
        return RejectError(Reason.UNEXPECTED, type(error).__name__)
