"""ImageRecord -> Encoded: the codestream's bytes, without a look at the header.

The hot path, called from reader threads, one file at a time. No pydicom here, and no mmap: a file
that shrinks under a map kills the process.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from dali_pipelines.codestream.stream import bare_codestream, read_stream_info
from dali_pipelines.dicom.file_meta import read_file_meta
from dali_pipelines.records import Encoded, ImageRecord, Location
from dali_pipelines.storage.archive import MAX_INFLATED_BYTES, Source, open_source
from dali_pipelines.storage.byte_view import ByteView, FileRange, MemoryBytes
from dali_pipelines.storage.inflate import inflate
from dali_pipelines.storage.regular_file import open_regular
from dali_pipelines.verdicts import Reason, RejectError


def read_encoded(record: ImageRecord, *, verify: bool = True) -> Encoded:
    """The bytes of the record's codestream, (n,) uint8, read-only, bare and proved complete.

    With `verify` their SHA-256 is compared with the record's, where it has one: the only way to see
    damage that leaves a valid stream (0.6 ms for 1 MiB on a core with SHA instructions).
    RejectError: CHANGED if size or time of the file or the hash differ from the record's,
    TRUNCATED, CORRUPT, IO, PERMISSION, NOT_A_FILE, TOO_LARGE above 1 GiB.
    """
    fragments = record.location.fragments
    size = sum(length for _, length in fragments)
    if size > MAX_INFLATED_BYTES:
        raise RejectError(
            Reason.TOO_LARGE,
            f"the codestream has {size} bytes, more than the limit of {MAX_INFLATED_BYTES}",
        )
    data = np.empty(size, np.uint8).data
    done = 0
    with _open(record.location) as view:
        for offset, length in fragments:
            view.fill(offset, data[done : done + length])
            done += length
    bare = bare_codestream(data, record.stream)  # walks the stream to its end, so it is also proved
    _require_same_header(bare, record)
    if verify and record.sha256:
        _require_same_bytes(bare, record)
    values = np.frombuffer(bare, np.uint8)
    values.setflags(write=False)
    return Encoded(values, record)


@contextmanager
def _open(location: Location) -> Iterator[ByteView]:
    """What the location's fragments count from."""
    with open_regular(location.path) as (descriptor, state):
        _require_unchanged(location, state)
        if location.storage == "range":
            yield FileRange(descriptor, 0, state.st_size)
            return
    with open_source(Source(location.path, location.member)) as opened:
        if location.storage == "member":
            yield opened.view
            return
        needed = max(offset + length for offset, length in location.fragments)
        start = read_file_meta(opened.view).end
        yield MemoryBytes(inflate(opened.view, start, needed))


def _require_unchanged(location: Location, state: os.stat_result) -> None:
    if (state.st_size, state.st_mtime_ns) != (location.file_size, location.mtime_ns):
        raise RejectError(
            Reason.CHANGED,
            f"the file has {state.st_size} bytes and another time than the scan saw, which found "
            f"{location.file_size}; scan again",
        )


def _require_same_bytes(bare: memoryview, record: ImageRecord) -> None:
    if hashlib.sha256(bare).hexdigest() != record.sha256:
        raise RejectError(
            Reason.CHANGED,
            "the codestream's SHA-256 is not the one that the scan found, so its bytes changed; "
            "fetch the file again",
        )


def _require_same_header(bare: memoryview, record: ImageRecord) -> None:
    """Decoders take sizes from the codestream: one that changed may ask for any memory."""
    if record.stream.kind in {"raw", "rle"}:
        return
    if read_stream_info(bare) != replace(record.stream, boxed=False):
        raise RejectError(
            Reason.CHANGED,
            "the codestream's header is not the one that the scan found, so its bytes changed; "
            "fetch the file again",
        )
