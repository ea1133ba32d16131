"""ImageRecord -> Encoded: the bytes of its codestreams, without a look at the header.

The hot path, called from reader threads, one file at a time. No pydicom here, and no mmap: a file
that shrinks under a map kills the process.
"""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial, reduce
from itertools import accumulate, pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.codestream.stream import bare_codestream, read_stream_info
from dali_pipelines.dicom.file_meta import read_file_meta
from dali_pipelines.records import ImageRecord, Location
from dali_pipelines.stages import Encoded
from dali_pipelines.storage.archive import MAX_INFLATED_BYTES, Source, open_source
from dali_pipelines.storage.byte_view import ByteView, FileRange, MemoryBytes
from dali_pipelines.storage.inflate import inflate
from dali_pipelines.storage.regular_file import open_regular
from dali_pipelines.stored_values import native_maximum
from dali_pipelines.verdicts import Reason, RejectError

_MOST_BYTES: Final = 1 << 30  # of one image, also where it is the maximum over many frames
_AFTER_PIXELS: Final = 1 << 24  # what may follow the pixels of an image that the scan unfolded

_Bytes = NDArray[np.uint8]


def read_encoded(record: ImageRecord, *, verify: bool = True) -> Encoded:
    """The bytes of the record's codestream, (n,) uint8, read-only, bare and proved complete.

    Of the maximum over several frames: the codestreams of all of them one after another, or, of
    native ones, the maximum itself. With `verify` their SHA-256 is compared with the record's,
    where it has one: the only way to see damage that leaves a valid stream (0.6 ms for 1 MiB on a
    core with SHA instructions). RejectError: CHANGED if size or time of the file or the hash differ
    from the record's, TRUNCATED, CORRUPT, IO, PERMISSION, NOT_A_FILE, TOO_LARGE above 1 GiB.
    """
    streams = _streams(record.location)
    sizes = [sum(length for _, length in fragments) for fragments in streams]
    is_native = record.stream.kind == "raw"
    size = max(sizes) if is_native else sum(sizes)
    if size > _MOST_BYTES:
        raise RejectError(
            Reason.TOO_LARGE,
            f"the codestream has {size} bytes, more than the limit of {_MOST_BYTES}",
        )
    digest = hashlib.sha256() if verify and record.sha256 else None
    with _open(record.location) as view:
        bare = (_read_bare(view, fragments, record, digest) for fragments in streams)
        if is_native or len(streams) == 1:
            parts = tuple[int, ...]()
            values = reduce(partial(native_maximum, record=record), bare)
        else:
            values, parts = _joined(bare, size)
    if digest is not None:
        _require_same_bytes(digest.hexdigest(), record)
    values.setflags(write=False)
    return Encoded(values, record, parts)


def _streams(location: Location) -> list[tuple[tuple[int, int], ...]]:
    """The fragments of each codestream: of the one, or of each frame of a maximum."""
    ends = list(accumulate(location.frame_fragments)) or [len(location.fragments)]
    return [location.fragments[first:end] for first, end in pairwise([0, *ends])]


def _read_bare(
    view: ByteView,
    fragments: tuple[tuple[int, int], ...],
    record: ImageRecord,
    digest: "hashlib._Hash | None",
) -> _Bytes:
    """One bare codestream of the record, which also goes into the digest."""
    data = np.empty(sum(length for _, length in fragments), np.uint8).data
    done = 0
    for offset, length in fragments:
        view.fill(offset, data[done : done + length])
        done += length
    bare = bare_codestream(data, record.stream)  # walks the stream to its end, so it is also proved
    _require_same_header(bare, record)
    if digest is not None:
        digest.update(bare)
    return np.frombuffer(bare, np.uint8)


def _joined(parts: Iterable[_Bytes], most: int) -> tuple[_Bytes, tuple[int, ...]]:
    """The parts one after another, at most `most` bytes, and the length of each."""
    values, sizes = np.empty(most, np.uint8), list[int]()
    for part in parts:
        end = sum(sizes)
        values[end : end + len(part)] = part
        sizes.append(len(part))
    return values[: sum(sizes)], tuple(sizes)


@contextmanager
def _open(location: Location) -> Iterator[ByteView]:
    """What the location's fragments count from."""
    with open_regular(location.path) as (descriptor, state):
        _require_unchanged(location, state)
        if location.storage == "range":
            yield FileRange(descriptor, 0, state.st_size)
            return
    needed = max(offset + length for offset, length in location.fragments)
    most = max(
        MAX_INFLATED_BYTES, needed + _AFTER_PIXELS
    )  # the scan may have been told to take more
    with open_source(Source(location.path, location.member), most) as opened:
        if location.storage == "member":
            yield opened.view
            return
        start = read_file_meta(opened.view).end
        yield MemoryBytes(inflate(opened.view, start, needed))


def _require_unchanged(location: Location, state: os.stat_result) -> None:
    changes = []
    if state.st_size != location.file_size:
        changes.append(f"{state.st_size} bytes, not {location.file_size}")
    if state.st_mtime_ns != location.mtime_ns:
        changes.append("another time than the scan saw")
    if changes:
        raise RejectError(Reason.CHANGED, f"the file has {' and '.join(changes)}")


def _require_same_bytes(digest: str, record: ImageRecord) -> None:
    if digest != record.sha256:
        raise RejectError(
            Reason.CHANGED,
            "the codestream's SHA-256 is not the one that the scan found, so its bytes changed",
        )


def _require_same_header(bare: memoryview, record: ImageRecord) -> None:
    """Decoders take sizes from the codestream: one that changed may ask for any memory."""
    if record.stream.kind in {"raw", "rle"}:
        return
    if read_stream_info(bare) != replace(record.stream, boxed=False):
        raise RejectError(
            Reason.CHANGED,
            "the codestream's header is not the one that the scan found, so its bytes changed",
        )
