"""Decode batches on the GPU, one ahead; what it cannot take or has got wrong the CPU decodes.

No picture of the GPU is taken on trust: the first frames of each class are compared with the CPU's
(canary), a lossless JPEG must use up its bits (proof). In doubt the CPU's word holds. Where that is
a picture, the class of the codestream moves to the CPU for the rest of the run; where it is a
verdict, the file was at fault.
"""

import logging
from collections import Counter, deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

import torch

from dali_pipelines.codestream.bit_budget import read_budget
from dali_pipelines.decoder import DALI_BATCH, Decoded, Decoder, Place
from dali_pipelines.gpu.canary import Canary
from dali_pipelines.gpu.decoded_batch import DecodedBatch, with_proof
from dali_pipelines.gpu.intake import Frame, Intake
from dali_pipelines.graph import BatchError, DaliDecoder
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.nvjpeg import can_decode_lossless
from dali_pipelines.recipe import Recipe
from dali_pipelines.routing import class_of
from dali_pipelines.stages import Encoded, Pixels
from dali_pipelines.stored_values import spread_shift, stream_shift
from dali_pipelines.verdicts import RejectError, guarded

# Each thread of DALI's has one image on the GPU. A JPEG 2000 image alone leaves it nearly idle: 17
# ms whatever its size (nvImageCodec's example notebooks). Above 16 tiles lose their own threads.
_FEWEST_THREADS: Final = 8
_MOST_THREADS: Final = 16

log = logging.getLogger("mammo.decode")


@dataclass(slots=True)
class _Begun:
    """A batch on its way: the CPU's part, by place, and the GPU's, by call of DALI."""

    on_cpu: "Future[list[Decoded]]"
    on_gpu: list[list[Frame]]


class GpuDecoder:
    """Decodes on torch's current GPU what DALI takes there, the rest with `cpu`, which it owns.

    `counts` is that of `cpu`: the codestreams that each decoder took. One that went to both stands
    there twice; "canary frames" and "doubts" say how many those are. `dali` makes the decoder of
    the device "mixed" when the first codestream for it comes. For one thread.
    """

    def __init__(
        self,
        cpu: Decoder,
        settings: LoaderSettings,
        recipe: Recipe,
        dali: Callable[[], DaliDecoder] | None = None,
    ) -> None:
        self.counts: Counter[str] = cpu.counts
        self._cpu = cpu
        self._cpu_thread = ThreadPoolExecutor(1, "mammo-cpu")
        self._pool = ThreadPoolExecutor(settings.resolved_threads(), "mammo-gpu")
        self._new_dali = dali or partial(_new_dali, settings)
        self._dali: DaliDecoder | None = None
        self._canary = Canary(self.counts)
        self._intake = Intake(recipe.decode, self._canary, self._pool, self._can_decode_lossless)
        self._begun: deque[_Begun] = deque()

    def submit(self, batch: Sequence[Place]) -> None:
        """Begin to decode a batch; nothing waits for the GPU."""
        on_gpu = self._intake.take(batch)
        frames = [frame for share in on_gpu for frame in share]
        chosen = {frame.place for frame in frames}
        rest = [None if place in chosen else item for place, item in enumerate(batch)]
        on_cpu = self._cpu_thread.submit(self._cpu.decode, rest)
        for share in on_gpu:
            self._start_dali().submit([frame.data for frame in share])
        for frame in frames:
            self._examine(frame)
        self._begun.append(_Begun(on_cpu, on_gpu))

    def receive(self) -> DecodedBatch:
        """The oldest batch that was submitted; waits for the GPU where a canary is still wanted."""
        begun = self._begun.popleft()
        pixels = begun.on_cpu.result()
        frames = [frame for share in begun.on_gpu for frame in share]
        decoded = [found for share in begun.on_gpu for found in self._receive_share(share)]
        for frame, found in zip(frames, self._decode_left(frames, decoded), strict=True):
            pixels[frame.place] = found
        return with_proof(pixels, frames)

    def resolve(self, encoded: Encoded) -> Decoded:
        """The CPU's word on a codestream whose picture is doubtful, in a child that may die of it.

        A picture moves the class to the CPU, unless it is constant: the GPU's may have been right.
        """
        pixels = self._settle(encoded)
        if isinstance(pixels, Pixels) and pixels.values.min() != pixels.values.max():
            self._canary.ban(encoded.record, "the GPU's picture does not use up its bits")
        return pixels

    def drain(self) -> None:
        """Throw away what was submitted and not received."""
        for begun in self._begun:
            begun.on_cpu.cancel()
        self._begun.clear()
        if self._dali is not None:
            self._dali.drain()

    def stop(self) -> None:
        """As that of `cpu`."""
        self._cpu.stop()

    def close(self) -> None:
        """End the threads and the decoders."""
        try:
            self.drain()
        finally:
            self._dali = None
            self._cpu_thread.shutdown(cancel_futures=True)
            self._pool.shutdown(cancel_futures=True)
            self._cpu.close()

    def _start_dali(self) -> DaliDecoder:
        self._dali = self._dali or self._new_dali()
        return self._dali

    def _can_decode_lossless(self) -> bool:
        self._start_dali()  # which loads nvJPEG
        return can_decode_lossless()

    def _examine(self, frame: Frame) -> None:
        """Begin what the CPU has to find out about a frame."""
        item = frame.item
        if item.record.stream.kind == "jpeg_lossless":
            budget = partial(read_budget, item.data.data, item.record.stream)
            frame.budget = self._pool.submit(guarded, budget)
        if self._canary.claims(item.record):
            frame.second = self._pool.submit(self._cpu.decode_alone, item)

    def _receive_share(self, share: list[Frame]) -> list[Decoded]:
        """What became of each frame; None where the CPU is to decode it yet."""
        try:
            images = self._start_dali().receive()
        except BatchError as error:
            log.warning("%s; the CPU decodes it one by one", error)
            return self._decode_refused(share, of_a_file=error.of_a_file)
        return [self._accept(frame, image) for frame, image in zip(share, images, strict=True)]

    def _decode_refused(self, share: list[Frame], *, of_a_file: bool) -> list[Decoded]:
        """What the CPU makes of frames that DALI refused together, each on its own.

        If it can decode all of them, DALI refuses a class that is sound, unless it merely ran out
        of memory. If more than one is here they are not mixed with others any more, so that the
        next refusal tells which it is.
        """
        self.counts["gpu batches decoded again one by one"] += 1
        items = [frame.item for frame in share]
        decoded: list[Decoded] = list(self._pool.map(self._cpu.decode_alone, items))
        if of_a_file and all(isinstance(pixels, Pixels) for pixels in decoded):
            kinds = {class_of(item.record) for item in items}
            self._intake.suspect(kinds)
            if len(kinds) == 1:
                self._canary.ban(items[0].record, "DALI refuses it on the GPU")
        return decoded

    def _accept(self, frame: Frame, image: torch.Tensor) -> Decoded:
        """The GPU's picture if nothing speaks against it; None where the CPU is to decode it."""
        record, stream = frame.item.record, frame.item.record.stream
        unread = frame.budget is not None and isinstance(frame.budget.result(), RejectError)
        if unread or self._canary.is_banned(record):
            return None
        self.counts[f"dali gpu {stream.kind}"] += 1
        found, wanted = tuple(image.shape), (stream.height, stream.width)
        if found == wanted:
            shift = spread_shift(stream) + stream_shift(record)
            return self._compare(frame, Pixels(image, shift))
        pixels = self._settle(frame.item)
        if isinstance(pixels, Pixels):
            self._canary.ban(record, f"the GPU's picture has shape {found} in place of {wanted}")
        return pixels

    def _compare(self, frame: Frame, pixels: Pixels) -> Decoded:
        """The picture, or the CPU's word in its place if the canary wants that and it differs."""
        record = frame.item.record
        if not self._canary.wants(record):
            return pixels
        second = frame.second or self._pool.submit(self._cpu.decode_alone, frame.item)
        return self._canary.compare(record, pixels, second.result())

    def _decode_left(self, frames: list[Frame], decoded: list[Decoded]) -> list[Decoded]:
        """`decoded` with what was left to the CPU."""
        left = [
            frame.item if found is None else None
            for frame, found in zip(frames, decoded, strict=True)
        ]
        if not any(left):
            return decoded
        late = self._cpu_thread.submit(self._cpu.decode, left).result()
        return [
            found if item is None else pixels
            for item, found, pixels in zip(left, decoded, late, strict=True)
        ]

    def _settle(self, item: Encoded) -> Pixels | RejectError:
        self.counts["doubts"] += 1
        return self._cpu.decode_alone(item)


def _new_dali(settings: LoaderSettings) -> DaliDecoder:
    threads = min(max(settings.resolved_threads(), _FEWEST_THREADS), _MOST_THREADS)
    return DaliDecoder(DALI_BATCH, threads, "mixed", torch.cuda.current_device())
