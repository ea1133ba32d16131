"""The codestreams of blocks to come, fetched by reader threads."""

import itertools
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.plan import EMPTY, Blocks
from dali_pipelines.reader import read_encoded
from dali_pipelines.records import ImageRecord
from dali_pipelines.stages import Encoded
from dali_pipelines.verdicts import RejectError, guarded

_Read = Encoded | RejectError


@dataclass(frozen=True, slots=True)
class ReadBlock:
    """One block as read: `indices` (N,), and for each its codestream, why not, or None for none."""

    indices: NDArray[np.int64]
    encoded: list[Encoded | RejectError | None]


class ReadAhead:
    """Reads the codestreams of `records`, `settings.prefetch` groups of blocks ahead."""

    def __init__(self, records: Sequence[ImageRecord], settings: LoaderSettings) -> None:
        self._records = records
        self._settings = settings
        self._readers = ThreadPoolExecutor(settings.readers, "mammo-read")

    def groups(self, blocks: Blocks) -> Generator[list[ReadBlock], None, None]:
        """The blocks in order, as many at a time as are to be decoded together."""
        pending: deque[list[tuple[NDArray[np.int64], list[Future[_Read] | None]]]] = deque()
        ahead = self._grouped(blocks)
        try:
            while True:
                for group in itertools.islice(ahead, self._settings.prefetch + 1 - len(pending)):
                    pending.append([(row, [self._submit(int(k)) for k in row]) for row in group])
                if not pending:
                    return
                yield [
                    ReadBlock(row, [read.result() if read else None for read in reads])
                    for row, reads in pending.popleft()
                ]
        finally:
            for _, reads in itertools.chain.from_iterable(pending):
                for read in reads:
                    if read is not None:
                        read.cancel()

    def close(self) -> None:
        """End the threads."""
        self._readers.shutdown(cancel_futures=True)

    def _grouped(self, blocks: Blocks) -> Iterator[Blocks]:
        size = max(1, self._settings.batch // max(1, blocks.shape[1]))
        return (blocks[k : k + size] for k in range(0, len(blocks), size))

    def _submit(self, index: int) -> "Future[_Read] | None":
        if index == EMPTY:
            return None
        read = partial(read_encoded, self._records[index], verify=self._settings.verify)
        return self._readers.submit(guarded, read)
