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

import torch

from dali_pipelines.decoder import Decoder
from dali_pipelines.errors import DeviceError
from dali_pipelines.gpu.block import BlockMaker, Launched, Shown
from dali_pipelines.gpu.decoded_batch import DecodedBatch
from dali_pipelines.gpu.decoder import GpuDecoder
from dali_pipelines.gpu.device import current_device
from dali_pipelines.gpu.ring import Ring, Slot
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.read_ahead import ReadBlock
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.rejects.rejections import Rejections
from dali_pipelines.shading import image_shading
from dali_pipelines.stages import Batch, Encoded
from dali_pipelines.verdicts import guarded


@dataclass(frozen=True, slots=True)
class _Submitted:
    """A group of blocks whose codestreams are being decoded, and its shadings to be."""

    blocks: list[ReadBlock]
    shadings: "list[Future[Shown] | None]"


@dataclass(frozen=True, slots=True)
class _Queued:
    """A group whose steps are queued; `decoded` tells what is doubtful once the GPU is done."""

    blocks: list[Launched]
    decoded: DecodedBatch


class Batches:
    """Makes the batches of a loader on a GPU; `counts` says how many images went where."""

    def __init__(
        self,
        records: Sequence[ImageRecord],
        recipe: Recipe,
        settings: LoaderSettings,
        rejections: Rejections,
    ) -> None:
        self._recipe = recipe
        self._prefetch = settings.prefetch
        self._device = current_device().torch_device
        self._stream: torch.cuda.Stream | None = None
        if self._device.type == "cuda":
            self._stream = torch.cuda.Stream(self._device)  # type: ignore[no-untyped-call]
        self._ring = Ring(recipe, self._device)
        self._workers = ThreadPoolExecutor(settings.resolved_threads(), "mammo-work")
        cpu = Decoder(settings, recipe, self._workers)
        self._decoder = GpuDecoder(cpu, settings, recipe)
        resolve = partial(self._workers.map, self._decoder.resolve)
        self._maker = BlockMaker(records, recipe, rejections, resolve)
        self.counts = self._decoder.counts

    def build(self, groups: Iterable[list[ReadBlock]]) -> Generator[tuple[Batch, Slot], None, None]:
        """One batch for each block, in order, with the slot that its images are."""
        submitted: deque[_Submitted] = deque()
        queued: deque[_Queued] = deque()
        depth = 0
        with self._on_stream():
            try:
                for blocks in groups:
                    depth = depth or self._fill_ring(blocks)
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

    def lend(self, built: Iterator[tuple[Batch, Slot]]) -> Iterator[Batch]:
        """The batches; the images of each hold until the next one is asked for."""
        with ExitStack() as stack:
            if isinstance(built, Generator):
                stack.enter_context(closing(built))
            for batch, slot in built:
                slot.filled.wait()
                try:
                    yield batch
                finally:
                    self._ring.give_back(slot)

    def stop(self) -> None:
        """Have a batch under way come to an end soon, as an error."""
        self._decoder.stop()

    def close(self) -> None:
        """End the threads and the decoders."""
        self._workers.shutdown(cancel_futures=True)
        self._decoder.close()

    def _fill_ring(self, blocks: list[ReadBlock]) -> int:
        """Have as many slots as can be in use at once, so that taking one never waits.

        Two groups are queued, `prefetch` batches wait for the caller, one is being handed to that
        queue, and one is with the caller.
        """
        depth = 2 * len(blocks) + self._prefetch + 2
        self._ring.reset(depth, len(blocks[0].indices))
        return depth

    def _submit(self, blocks: list[ReadBlock]) -> _Submitted:
        items = [item for block in blocks for item in block.encoded]
        self._decoder.submit(items)
        return _Submitted(blocks, [self._submit_shading(item) for item in items])

    def _submit_shading(self, item: object) -> "Future[Shown] | None":
        if not isinstance(item, Encoded):
            return None
        shading = partial(image_shading, item.record, self._recipe)
        return self._workers.submit(guarded, shading)

    def _launch(self, group: _Submitted) -> _Queued:
        decoded = self._decoder.receive()
        pixels = iter(decoded.pixels)
        shadings = iter(group.shadings)
        blocks = []
        for read in group.blocks:
            places = range(len(read.indices))
            found = [next(pixels) for _ in places]
            of_block = [made.result() if (made := next(shadings)) else None for _ in places]
            blocks.append(self._maker.launch(read, found, of_block, self._ring.take()))
        return _Queued(blocks, decoded)

    def _hand_out(self, group: _Queued) -> Iterator[tuple[Batch, Slot]]:
        """The batches of a group, once the GPU is done with it."""
        doubtful = group.decoded.doubtful()
        start = 0
        for block in group.blocks:
            end = start + len(block.decoded)
            mine = [place - start for place in doubtful if start <= place < end]
            yield self._maker.finish(block, mine), block.slot
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
