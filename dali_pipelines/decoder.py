"""Decode one batch: each codestream by the decoder that routing names, each failure on its own."""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING

from dali_pipelines.cpu.decode import decode
from dali_pipelines.isolation import IsolatedDecoder
from dali_pipelines.records import Encoded, Pixels
from dali_pipelines.routing import route
from dali_pipelines.verdicts import Reason, RejectError

if TYPE_CHECKING:
    from dali_pipelines.graph import DaliDecoder

DALI_BATCH = 32  # the most codestreams DALI is given at once; larger batches are split
Decoded = Pixels | RejectError | None


class Decoder:
    """Decodes batches of codestreams on the CPU; `counts` says how many went where.

    Single-image decoders run on `pool`; DALI has `threads` of its own and is loaded when the first
    codestream for it comes.
    """

    def __init__(self, threads: int, pool: Executor) -> None:
        self.counts: Counter[str] = Counter()
        self._threads = threads
        self._pool = pool
        self._dali: DaliDecoder | None = None
        self._isolated = IsolatedDecoder()

    def decode(self, batch: Sequence[Encoded | RejectError | None]) -> list[Decoded]:
        """For each place: its Pixels, or why there are none; None stays None."""
        result: list[Decoded] = [None if isinstance(item, Encoded) else item for item in batch]
        by_dali: list[int] = []
        futures = {}
        for k, item in enumerate(batch):
            if not isinstance(item, Encoded):
                continue
            decoder = route(item.record.stream)
            if decoder == "dali":
                by_dali.append(k)
            else:
                self.counts[f"{decoder} {item.record.stream.kind}"] += 1
                futures[k] = self._pool.submit(_decode_one, item)
        for start in range(0, len(by_dali), DALI_BATCH):
            some = by_dali[start : start + DALI_BATCH]
            streams = [item for k in some if isinstance(item := batch[k], Encoded)]
            for k, pixels in zip(some, self._decode_dali(streams), strict=True):
                result[k] = pixels
        for k, future in futures.items():
            result[k] = future.result()
        return result

    def close(self) -> None:
        """End the child process of the retries, if there is one."""
        self._isolated.close()

    def _decode_dali(self, streams: list[Encoded]) -> list[Pixels | RejectError]:
        from dali_pipelines.graph import BatchError, DaliDecoder  # noqa: PLC0415 - 1 s to import

        if self._dali is None:
            self._dali = DaliDecoder(DALI_BATCH, self._threads)
        try:
            images = self._dali.decode([item.data for item in streams])
        except BatchError:
            self.counts["batches decoded again one by one"] += 1
            return [self._decode_alone(item) for item in streams]
        for item in streams:
            self.counts[f"dali {item.record.stream.kind}"] += 1
        return [_checked(item, Pixels(image)) for item, image in zip(streams, images, strict=True)]

    def _decode_alone(self, item: Encoded) -> Pixels | RejectError:
        self.counts[f"imagecodecs {item.record.stream.kind}"] += 1
        try:
            return self._isolated.decode(item)
        except RejectError as error:
            return error


def _decode_one(item: Encoded) -> Pixels | RejectError:
    try:
        return decode(item)
    except RejectError as error:
        return error


def _checked(item: Encoded, pixels: Pixels) -> Pixels | RejectError:
    wanted = (item.record.stream.height, item.record.stream.width)
    if pixels.values.shape == wanted:
        return pixels
    return RejectError(
        Reason.GEOMETRY, f"DALI gave shape {pixels.values.shape}, the codestream says {wanted}"
    )
