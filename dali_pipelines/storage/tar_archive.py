"""The members of a tar file that is not compressed: each is a range of it (POSIX.1-2001, GNU)."""

import io
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
_MOST_NAME_BYTES: Final = 1 << 20  # in one header; a name has 4,096 where Linux can have it
_ERRORS: Final = (tarfile.TarError, EOFError, ValueError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class TarEntry:
    """Where a member's bytes lie in the tar file."""

    start: int
    size: int


@lru_cache(maxsize=_CACHED)
def read_directory(path: str, size: int, _mtime_ns: int) -> Directory[TarEntry]:
    """What a tar file holds; read anew when its size or time changes.

    The members of a tar stand one after another without a table of contents: one short read each.
    What stands before a damaged place, or the end of the first of tars that were joined, is there;
    what follows is one lost member.
    RejectError: CORRUPT where it begins with no member, IO, PERMISSION.
    """
    try:
        with (
            patiently(lambda: _Headers(path, "rb")) as file,
            tarfile.open(fileobj=file, mode="r:") as archive,
        ):
            return sort_members(list(_members(archive, file, size)))
    except _ERRORS as error:
        raise RejectError(
            Reason.CORRUPT, "the file is not a tar archive that can be read"
        ) from error
    except OSError as error:
        raise reject_of(error) from error


class _Headers(io.FileIO):
    """A tar file, of which `tarfile` gets no more at once than a header may have."""

    def read(self, size: int | None = -1, /) -> bytes:
        """At most `size` bytes; ReadError where that is more than _MOST_NAME_BYTES, or negative."""
        if size is None or not 0 <= size <= _MOST_NAME_BYTES:
            raise tarfile.ReadError("a header of an impossible size")
        return super().read(size) or b""


def _members(
    archive: tarfile.TarFile, file: io.FileIO, size: int
) -> Iterator[tuple[str, TarEntry] | LostMember]:
    """Each member but for folders, in order; then what is lost behind a damaged place."""
    try:
        whole = True
        for info in archive:
            if archive.offset <= info.offset:  # a negative size, which leads back for ever
                whole = False
                break
            if info.isreg() and not info.issparse():
                yield info.name, TarEntry(info.offset_data, info.size)
            elif not info.isdir():
                yield not_a_file(info.name)
            if archive.offset > size:
                whole = False
                break
        whole = whole and _ends_here(file, archive.offset)
    except _ERRORS:
        whole = False
    if not whole:
        detail = (
            "the tar file is damaged, cut short or followed by another one; what follows its last "
            "whole header is lost"
        )
        yield LostMember("", Reason.TRUNCATED, detail)


def _ends_here(file: io.FileIO, offset: int) -> bool:
    """Whether the end stands where the reading stopped: blocks of zeros, or no byte more.

    `tarfile` stops at a header that it cannot read as if it were that, and at the first zeros also
    where more follows: another tar joined on, or what stands behind a hole in a damaged one.
    """
    file.seek(offset)
    block = file.read(tarfile.BLOCKSIZE)
    if any(block) or len(block) not in (0, tarfile.BLOCKSIZE):
        return False
    pieces = iter(lambda: file.read(_PIECE_BYTES), b"")
    return not any(piece.strip(b"\0") for piece in pieces)
