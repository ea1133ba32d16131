"""Decode one batch: each codestream by the decoder that routing names, each failure on its own."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.cpu.decode import decode, stream_shift
from dali_pipelines.isolation import IsolatedDecoder
from dali_pipelines.records import Encoded, Pixels
from dali_pipelines.routing import route
from dali_pipelines.verdicts import Reason, RejectError

if TYPE_CHECKING:
    from dali_pipelines.graph import DaliDecoder

# The most that DALI is given at once. It takes 5.5 bytes a pixel (measured on 10000 x 10000), so
# eight of the largest mammograms and at most 1.2 GB.
DALI_BATCH: Final = 32
DALI_PIXELS: Final = 8 * 5355 * 4915
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
        streams = [item for k in by_dali if isinstance(item := batch[k], Encoded)]
        for share in _shares(streams):
            decoded = self._decode_dali([streams[k] for k in share])
            for k, pixels in zip(share, decoded, strict=True):
                result[by_dali[k]] = pixels
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
        return [_checked(item, image) for item, image in zip(streams, images, strict=True)]

    def _decode_alone(self, item: Encoded) -> Pixels | RejectError:
        self.counts[f"imagecodecs {item.record.stream.kind}"] += 1
        try:
            return self._isolated.decode(item)
        except RejectError as error:
            return error


def _decode_one(item: Encoded) -> Pixels | RejectError:
    """The boundary of one file: whatever its decoder does, the others go on."""
    try:
        return decode(item)
    except RejectError as error:
        return error
    except Exception as error:  # noqa: BLE001
        return RejectError(Reason.UNEXPECTED, type(error).__name__)


def _checked(item: Encoded, image: NDArray[np.uint16]) -> Pixels | RejectError:
    wanted = (item.record.stream.height, item.record.stream.width)
    if image.shape == wanted:
        return Pixels(image, stream_shift(item.record))
    return RejectError(
        Reason.GEOMETRY, f"DALI gave shape {image.shape}, the codestream says {wanted}"
    )


def _shares(streams: Sequence[Encoded]) -> Iterator[list[int]]:
    """Positions in order, in runs that are small enough for one call of DALI."""
    share: list[int] = []
    pixels = 0
    for k, item in enumerate(streams):
        size = item.record.stream.height * item.record.stream.width
        if share and (len(share) == DALI_BATCH or pixels + size > DALI_PIXELS):
            yield share
            share, pixels = [], 0
        share.append(k)
        pixels += size
    if share:
        yield share
