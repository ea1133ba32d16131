"""Read blocks in, batches out, decoded and prepared on the GPU; the twin of `cpu/batches.py`.

    submit group k + 1  ->  receive group k, launch its steps  ->  hand out group k - 1

All work is queued on one private stream. The host looks at a result (does the proof hold, where
was the box) only when the group after it has been queued, so the GPU never runs dry for that.
"""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice

import torch

from dali_pipelines.decoder import Decoder
from dali_pipelines.errors import DeviceError
from dali_pipelines.gpu.block import BlockMaker, Launched, Seen, Shown
from dali_pipelines.gpu.decoded_batch import DecodedBatch
from dali_pipelines.gpu.decoder import GpuDecoder
from dali_pipelines.gpu.device import current_device
from dali_pipelines.gpu.ring import Ring, Slot
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.pictures import Picture, Pictures
from dali_pipelines.read_ahead import ReadBlock
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.rejects.rejections import Rejections
from dali_pipelines.shading import image_shading
from dali_pipelines.stages import Batch, Encoded
from dali_pipelines.verdicts import guarded

_Shading = Future[Shown] | None


@dataclass(frozen=True, slots=True)
class _Submitted:
    """A block whose codestreams are being decoded, and its shadings to be: by look, by place."""

    read: ReadBlock
    pictures: list[Picture]
    shadings: list[list[_Shading]]


@dataclass(frozen=True, slots=True)
class _Queued:
    """A group whose steps are queued; `decoded` tells what is doubtful once the GPU is done."""

    blocks: list[Launched]
    decoded: DecodedBatch


_Built = tuple[tuple[Batch, ...], tuple[Slot, ...]]  # one of each a recipe


class Batches:
    """Makes the batches of a loader on a GPU; `counts` says how many images went where."""

    def __init__(
        self,
        records: Sequence[ImageRecord],
        recipes: Sequence[Recipe],
        settings: LoaderSettings,
        rejections: Rejections,
    ) -> None:
        self._pictures = Pictures(recipes)
        self._prefetch = settings.prefetch
        self._device = current_device().torch_device
        self._stream: torch.cuda.Stream | None = None
        if self._device.type == "cuda":
            self._stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        self._rings = [Ring(recipe, self._device) for recipe in recipes]
        self._workers = ThreadPoolExecutor(settings.resolved_threads(), "mammo-work")
        cpu = Decoder(settings, recipes[0], self._workers, recipes[1:])
        self._decoder = GpuDecoder(cpu, settings, recipes[0])
        resolve = partial(self._workers.map, self._decoder.resolve)
        self._maker = BlockMaker(records, recipes, rejections, resolve)
        self.counts = self._decoder.counts

    def build(self, groups: Iterable[list[ReadBlock]]) -> Generator[_Built, None, None]:
        """One batch a recipe for each block, in order, with the slots that their images are."""
        submitted: deque[list[_Submitted]] = deque()
        queued: deque[_Queued] = deque()
        depth = 0
        with self._on_stream():
            try:
                for blocks in groups:
                    depth = depth or self._fill_rings(blocks)
                    submitted.append(self._submit(blocks))
                    if len(submitted) > 1:
                        queued.append(self._launch(submitted.popleft()))
                    if len(queued) > 1:
                        yield from self._hand_out(queued.popleft())
                while submitted:
                    queued.append(self._launch(submitted.popleft()))
                while queued:
                    yield from self._hand_out(queued.popleft())
            finally:
                self._decoder.drain()

    def lend(self, built: Iterator[_Built]) -> Iterator[tuple[Batch, ...]]:
        """The batches; the images of each hold until the next ones are asked for."""
        with ExitStack() as stack:
            if isinstance(built, Generator):
                stack.enter_context(closing(built))
            for batches, slots in built:
                for slot in slots:
                    slot.filled.wait()
                try:
                    yield batches
                finally:
                    for ring, slot in zip(self._rings, slots, strict=True):
                        ring.give_back(slot)

    def stop(self) -> None:
        """Have a batch under way come to an end soon, as an error."""
        self._decoder.stop()

    def close(self) -> None:
        """End the threads and the decoders."""
        self._workers.shutdown(cancel_futures=True)
        self._decoder.close()

    def _fill_rings(self, blocks: list[ReadBlock]) -> int:
        """Have as many slots as can be in use at once, so that taking one never waits.

        Two groups are queued, `prefetch` batches wait for the caller, one is being handed to that
        queue, and one is with the caller.
        """
        depth = 2 * len(blocks) + self._prefetch + 2
        for ring in self._rings:
            ring.reset(depth, len(blocks[0].indices))
        return depth

    def _submit(self, blocks: list[ReadBlock]) -> list[_Submitted]:
        wanted = [self._pictures.of(block) for block in blocks]
        self._decoder.submit([one.item for pictures in wanted for one in pictures])
        return [
            _Submitted(
                block,
                pictures,
                [
                    [self._shade(item, look.recipe) for item in block.encoded]
                    for look in self._pictures.looks
                ],
            )
            for block, pictures in zip(blocks, wanted, strict=True)
        ]

    def _shade(self, item: object, recipe: Recipe) -> _Shading:
        if not isinstance(item, Encoded):
            return None
        shading = partial(image_shading, item.record, recipe)
        return self._workers.submit(guarded, shading)

    def _launch(self, group: list[_Submitted]) -> _Queued:
        decoded = self._decoder.receive()
        found = iter(decoded.pixels)
        blocks = []
        for block in group:
            looks = [
                Seen(look, [made.result() if made else None for made in shadings])
                for look, shadings in zip(self._pictures.looks, block.shadings, strict=True)
            ]
            slots = tuple(ring.take() for ring in self._rings)
            queued = Launched(block.read, block.pictures, looks, slots)
            blocks.append(self._maker.launch(queued, islice(found, len(block.pictures))))
        return _Queued(blocks, decoded)

    def _hand_out(self, group: _Queued) -> Iterator[_Built]:
        """The batches of a group, once the GPU is done with it."""
        doubtful = group.decoded.doubtful()
        start = 0
        for block in group.blocks:
            end = start + len(block.pictures)
            mine = [picture - start for picture in doubtful if start <= picture < end]
            yield self._maker.finish(block, mine), block.slots
            start = end

    @contextmanager
    def _on_stream(self) -> Iterator[None]:
        """A stretch in which this thread's work goes to the private stream."""
        if self._stream is None:
            yield
            return
        try:
            with torch.cuda.device(self._device), torch.cuda.stream(self._stream):
                yield
        except torch.OutOfMemoryError as error:
            raise DeviceError(
                f"the GPU ran out of memory; use smaller batches or less prefetch: {error}"
            ) from error
        except torch.AcceleratorError as error:
            raise DeviceError(f"the GPU failed, and this process cannot go on: {error}") from error
