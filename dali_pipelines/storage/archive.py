"""Where one input's bytes come from: a file, or a member of a zip or tar file.

A stored zip member and a member of a tar are ranges of their file; a compressed zip member is
unpacked into memory, up to a cap, once more than its first bytes are wanted.
"""

import os
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from dali_pipelines.storage import tar_archive, zip_archive
from dali_pipelines.storage.archive_directory import Directory, LostMember
from dali_pipelines.storage.byte_view import ByteView, FileRange
from dali_pipelines.storage.regular_file import open_regular
from dali_pipelines.verdicts import Reason, RejectError

MAX_INFLATED_BYTES: Final = 1 << 29  # a deflated image in a zip file takes it twice, and 1.3 GB

_PIECE_BYTES: Final = 1 << 20  # read at a time for a checksum
_TAR: Final = ".tar"


@dataclass(frozen=True, order=True, slots=True)
class Source:
    """One input: the file `path`, or the member `member` of that archive."""

    path: str
    member: str = ""


@dataclass(frozen=True, slots=True)
class OpenSource:
    """An input's bytes while it is open.

    `storage` is "range" where `view` is the part of the file from byte `base` on, "member" where
    it was unpacked. `file_size` (bytes) and `mtime_ns` are of the file, not of the member. `crc` is
    the CRC-32 that `view` should have, None where there is none or it was checked already.
    """

    view: ByteView
    storage: Literal["range", "member"]
    base: int
    file_size: int
    mtime_ns: int
    crc: int | None = None


@contextmanager
def open_source(source: Source, max_inflated: int = MAX_INFLATED_BYTES) -> Iterator[OpenSource]:
    """The bytes of one input, closed afterwards.

    RejectError: NOT_A_FILE (also where the archive has no such member), PERMISSION, IO, CORRUPT,
    TRUNCATED, UNSUPPORTED (encrypted, or packed by another method than deflate), TOO_LARGE above
    `max_inflated` bytes.
    """
    with open_regular(source.path) as (descriptor, state):
        facts = (state.st_size, state.st_mtime_ns)
        whole = FileRange(descriptor, 0, state.st_size)
        if not source.member:
            yield OpenSource(whole, "range", 0, *facts)
            return
        found = _directory(source.path, state).files.get(source.member)
        if found is None:
            raise RejectError(Reason.NOT_A_FILE, "the archive holds no such member")
        if isinstance(found, tar_archive.TarEntry):
            view = FileRange(descriptor, found.start, found.size)
            yield OpenSource(view, "range", found.start, *facts)
            return
        start = zip_archive.data_start(whole, found)
        if zip_archive.is_stored(found):
            view = FileRange(descriptor, start, found.file_size)
            yield OpenSource(view, "range", start, *facts, crc=found.CRC)
        else:
            packed = zip_archive.packed_member(whole, found, start, max_inflated)
            yield OpenSource(packed, "member", 0, *facts)


def require_crc(opened: OpenSource) -> None:
    """RejectError(CORRUPT) unless a stored zip member's bytes match its CRC-32; reads all of it.

    A tar has no checksum of what its members hold.
    """
    if opened.crc is None:
        return
    found = 0
    for offset in range(0, opened.view.size, _PIECE_BYTES):
        found = zlib.crc32(opened.view.peek(offset, _PIECE_BYTES), found)
    if found != opened.crc:
        raise zip_archive.wrong_crc()


def list_members(path: Path) -> list[str]:
    """The names of all members of an archive that are regular files, in its own order.

    Names come as they are, be they hostile. RejectError as for `open_source`.
    """
    with open_regular(str(path)) as (_, state):
        return list(_directory(str(path), state).files)


def list_lost_members(path: Path) -> list[LostMember]:
    """The members that `list_members` leaves out, but for folders; RejectError as there."""
    with open_regular(str(path)) as (_, state):
        return list(_directory(str(path), state).lost)


def _directory(
    path: str, state: os.stat_result
) -> Directory[tar_archive.TarEntry] | Directory[zipfile.ZipInfo]:
    if path.lower().endswith(_TAR):
        return tar_archive.read_directory(path, state.st_size, state.st_mtime_ns)
    return zip_archive.read_directory(path, state.st_size, state.st_mtime_ns)
