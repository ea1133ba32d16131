"""The members of a tar file that is not compressed: each is a range of it (POSIX.1-2001, GNU)."""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from dali_pipelines.storage.archive_directory import (
    Directory,
    LostMember,
    not_a_file,
    sort_members,
)
from dali_pipelines.storage.regular_file import patiently, reject_of
from dali_pipelines.verdicts import Reason, RejectError

_CACHED: Final = 8  # archives
_PIECE_BYTES: Final = 1 << 20  # read at a time behind the end, where most have 9 KB of zeros
_ERRORS: Final = (tarfile.TarError, EOFError, ValueError, OverflowError)


@dataclass(frozen=True, slots=True)
class TarEntry:
    """Where a member's bytes lie in the tar file."""

    start: int
    size: int


@lru_cache(maxsize=_CACHED)
def read_directory(path: str, _size: int, _mtime_ns: int) -> Directory[TarEntry]:
    """What a tar file holds; read anew when its size or time changes.

    The members of a tar stand one after another without a table of contents: one short read each.
    What stands before a damaged place, or the end of the first of tars that were joined, is there;
    what follows is one lost member.
    RejectError: CORRUPT where it begins with no member, IO, PERMISSION.
    """
    try:
        with patiently(lambda: tarfile.open(path, "r:")) as archive:
            return sort_members(list(_members(archive)))
    except _ERRORS as error:
        raise RejectError(
            Reason.CORRUPT, "the file is not a tar archive that can be read"
        ) from error
    except OSError as error:
        raise reject_of(error) from error


def _members(archive: tarfile.TarFile) -> Iterator[tuple[str, TarEntry] | LostMember]:
    """Each member but for folders, in order; then what is lost behind a damaged place."""
    try:
        for info in archive:
            if info.isdir():
                continue
            if info.isreg() and not info.issparse():
                yield info.name, TarEntry(info.offset_data, info.size)
            else:
                yield not_a_file(info.name)
        damaged = not _ends_here(archive)
    except _ERRORS:
        damaged = True
    if damaged:
        detail = (
            "the tar file is damaged, cut short or followed by another one; what follows its last "
            "whole header is lost"
        )
        yield LostMember("", Reason.TRUNCATED, detail)


def _ends_here(archive: tarfile.TarFile) -> bool:
    """Whether the end stands where the reading stopped: blocks of zeros, or no byte more.

    `tarfile` stops at a header that it cannot read as if it were that, and at the first zeros also
    where more follows: another tar joined on, or what stands behind a hole in a damaged one.
    """
    assert archive.fileobj is not None
    archive.fileobj.seek(archive.offset)
    block = archive.fileobj.read(tarfile.BLOCKSIZE)
    if any(block) or len(block) not in (0, tarfile.BLOCKSIZE):
        return False
    pieces = iter(lambda: archive.fileobj.read(_PIECE_BYTES), b"")
    return not any(piece.strip(b"\0") for piece in pieces)
