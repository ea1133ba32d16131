"""The bare decoders: codestreams in memory to values, and no further step.

The libraries alone, without our proofs: on the CPU those that the loader uses by default, in as
many processes, each of which has the codestreams already and sends nothing back; on the GPU DALI's
mixed decoder for what it takes. What the loader reaches of this rate says what all its other steps
cost.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, Final

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from benchmarks.job import Job
from dali_pipelines.errors import DatasetError
from dali_pipelines.pixel_settings import DecodeSettings
from dali_pipelines.reader import read_encoded
from dali_pipelines.records import ImageRecord, StreamKind
from dali_pipelines.routing import route_gpu
from dali_pipelines.stages import Encoded
from dali_pipelines.verdicts import RejectError

AHEAD: Final = 2  # batches that DALI is given before the first is asked for, so that it never idles


@contextmanager
def open_pass(job: Job) -> Iterator[Callable[[], None]]:
    """A pass over codestreams that have been read; DatasetError where one cannot be."""
    encoded = [read_stream(record) for record in job.records]
    by_dali = [item.data for item in encoded if _by_dali(item.record, job)]
    others = [item for item in encoded if not _by_dali(item.record, job)]
    with _open_processes(others, job.threads) as start:
        decode_by_dali = _dali(job) if by_dali else None

        def run() -> None:
            futures = start()
            if decode_by_dali is not None:
                decode_by_dali(by_dali)
            for future in futures:
                future.result()
            job.finish()

        yield run


def read_stream(record: ImageRecord) -> Encoded:
    """The codestream of a record; DatasetError where it cannot be had."""
    try:
        return read_encoded(record)
    except RejectError as error:
        raise DatasetError(f"an image cannot be read: {error}; measure on other files") from error


def decode_bare(encoded: Encoded) -> Any:
    """What the library gives for one codestream on the CPU, unchecked."""
    return _LIBRARIES[encoded.record.stream.kind](encoded)


def _by_dali(record: ImageRecord, job: Job) -> bool:
    if job.device == "cpu":
        return False
    return route_gpu(record.stream, DecodeSettings(), sound_nvjpeg=True) == "gpu"


@contextmanager
def _open_processes(
    encoded: list[Encoded], processes: int
) -> Iterator[Callable[[], list[Future[None]]]]:
    """A function that has each codestream decoded once, by processes that are warm."""
    with ProcessPoolExecutor(processes, initializer=_keep, initargs=(encoded,)) as pool:

        def start() -> list[Future[None]]:
            return [pool.submit(_decode_kept, k) for k in range(len(encoded))]

        warm_up = [pool.submit(_decode_kept, k) for k in range(min(processes, len(encoded)))]
        for future in warm_up:  # the processes are started and load their libraries
            future.result()
        yield start


_kept: list[Encoded] = []  # in a process of the pool: what it was started with


def _keep(encoded: list[Encoded]) -> None:
    _kept[:] = encoded


def _decode_kept(position: int) -> None:
    decode_bare(_kept[position])


def _dali(job: Job) -> Callable[[Sequence[NDArray[np.uint8]]], None]:
    """A function that decodes codestreams by DALI's mixed decoder, some batches ahead."""
    from dali_pipelines.graph import DaliDecoder  # noqa: PLC0415 - on Linux only

    decoder = DaliDecoder(job.batch, job.threads, "mixed", device_id=0)

    def decode(streams: Sequence[NDArray[np.uint8]]) -> None:
        waiting: deque[int] = deque()
        for start in range(0, len(streams), job.batch):
            decoder.submit(streams[start : start + job.batch])
            waiting.append(start)
            if len(waiting) > AHEAD:
                waiting.popleft()
                decoder.receive()
        for _ in waiting:
            decoder.receive()

    return decode


def _j2k(encoded: Encoded) -> Any:
    return imagecodecs.jpeg2k_decode(encoded.data, numthreads=1)


def _jpeg(encoded: Encoded) -> Any:
    return imagecodecs.jpeg8_decode(encoded.data)


def _rle(encoded: Encoded) -> Any:
    sample = f"<u{encoded.record.tags.bits_allocated // 8}"
    return imagecodecs.dicomrle_decode(encoded.data.tobytes(), sample)


_LIBRARIES: Final[dict[StreamKind, Callable[[Encoded], Any]]] = {
    "j2k": _j2k,
    "htj2k": lambda encoded: imagecodecs.htj2k_decode(encoded.data),
    "jpeg_lossless": _jpeg,
    "jpeg_dct": _jpeg,
    "jpegls": lambda encoded: imagecodecs.jpegls_decode(encoded.data),
    "rle": _rle,
    "raw": lambda encoded: encoded.data.copy(),  # nothing to decode: the cost of touching it
}
