"""Where one input's bytes come from: a file, or a member of a zip file.

A stored member is a range of the zip file; a compressed one is unpacked into memory, up to a cap,
once more than its first bytes are wanted.
Member names are only ever keys of the archive's own directory, never paths.
"""

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Final, Literal

from dali_pipelines.storage.byte_view import ByteView, FileRange, PackedMember
from dali_pipelines.storage.inflate import inflate
from dali_pipelines.storage.regular_file import open_regular, patiently, reject_of
from dali_pipelines.verdicts import Reason, RejectError

MAX_INFLATED_BYTES: Final = 1 << 29  # a deflated image in a zip file takes it twice, and 1.3 GB

_LOCAL_HEADER: Final = struct.Struct("<4s22xHH")  # APPNOTE 4.3.7: signature, name and extra lengths
_LOCAL_SIGNATURE: Final = b"PK\x03\x04"
_ENCRYPTED: Final = 0x1 | 0x40  # general purpose bits 0 and 6, APPNOTE 4.4.4
_UNIX: Final = 3  # `create_system` of members whose mode is a Unix one, APPNOTE 4.4.2
_MAX_DEFLATE_RATIO: Final = 1032  # zlib's own bound: 258 bytes from 2 bits
_CACHED_ARCHIVES: Final = 8  # a directory of 50,000 members takes about 20 MB and 0.4 s to read
_PIECE_BYTES: Final = 1 << 20  # read at a time for a checksum
_ZIP_ERRORS: Final = (
    zipfile.BadZipFile,
    NotImplementedError,
    ValueError,
    struct.error,
    OverflowError,
    EOFError,
)


@dataclass(frozen=True, order=True, slots=True)
class Source:
    """One input: the file `path`, or its zip member `member`."""

    path: str
    member: str = ""


@dataclass(frozen=True, order=True, slots=True)
class LostMember:
    """A zip member that is never read: a link or a device, or one whose name a later one has."""

    name: str
    reason: Reason
    detail: str


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
        found = _directory(source.path, *facts).files.get(source.member)
        if found is None:
            raise RejectError(Reason.NOT_A_FILE, "the zip file holds no such member")
        start = _data_start(whole, found)
        if found.compress_type == zipfile.ZIP_STORED:
            view = FileRange(descriptor, start, found.file_size)
            yield OpenSource(view, "range", start, *facts, crc=found.CRC)
        else:
            packed = _packed_member(whole, found, start, max_inflated)
            yield OpenSource(packed, "member", 0, *facts)


def require_crc(opened: OpenSource) -> None:
    """RejectError(CORRUPT) unless a stored zip member's bytes match its CRC-32; reads all of it."""
    if opened.crc is None:
        return
    found = 0
    for offset in range(0, opened.view.size, _PIECE_BYTES):
        found = zlib.crc32(opened.view.peek(offset, _PIECE_BYTES), found)
    if found != opened.crc:
        raise _wrong_crc()


def _wrong_crc() -> RejectError:
    return RejectError(Reason.CORRUPT, "the zip member's bytes do not match its CRC-32")


def list_members(path: Path) -> list[str]:
    """The names of all members of a zip file that are regular files, in its own order.

    Names come as they are, be they hostile. RejectError as for `open_source`.
    """
    with open_regular(str(path)) as (_, state):
        return list(_directory(str(path), state.st_size, state.st_mtime_ns).files)


def list_lost_members(path: Path) -> list[LostMember]:
    """The members that `list_members` leaves out, but for folders; RejectError as there."""
    with open_regular(str(path)) as (_, state):
        return list(_directory(str(path), state.st_size, state.st_mtime_ns).lost)


@dataclass(frozen=True, slots=True)
class _Directory:
    """The regular files of a zip archive by name, and the members that nothing is read from."""

    files: dict[str, zipfile.ZipInfo]
    lost: tuple[LostMember, ...]


@lru_cache(maxsize=_CACHED_ARCHIVES)
def _directory(path: str, _size: int, _mtime_ns: int) -> _Directory:
    """What a zip archive holds; read anew when the file's size or time changes.

    Of members with one name the last counts, as everywhere.
    """
    try:
        with patiently(lambda: zipfile.ZipFile(path)) as archive:
            return _sort_members(archive.infolist())
    except _ZIP_ERRORS as error:
        raise RejectError(
            Reason.CORRUPT, "the file is not a zip archive that can be read"
        ) from error
    except OSError as error:
        raise reject_of(error) from error


def _sort_members(members: Iterable[zipfile.ZipInfo]) -> _Directory:
    files: dict[str, zipfile.ZipInfo] = {}
    lost = []
    for info in members:
        name = info.filename
        if name.endswith("/"):
            continue
        if not _is_regular(info):
            detail = "a link or a device in a zip file is not read"
            lost.append(LostMember(name, Reason.NOT_A_FILE, detail))
            continue
        if name in files:
            detail = "a later member of the zip file has this name too; that one was read"
            lost.append(LostMember(name, Reason.DUPLICATE_CONFLICT, detail))
        files[name] = info
    return _Directory(files, tuple(lost))


def _is_regular(info: zipfile.ZipInfo) -> bool:
    kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system == _UNIX else 0
    return bool(info.filename) and kind in (0, stat.S_IFREG)


def _data_start(whole: ByteView, info: zipfile.ZipInfo) -> int:
    """Where the member's data begin, from its local header; checks that they end in the file."""
    head = whole.peek(info.header_offset, _LOCAL_HEADER.size)
    if len(head) < _LOCAL_HEADER.size:
        raise RejectError(Reason.TRUNCATED, "the zip file ends before this member begins")
    signature, name_length, extra_length = _LOCAL_HEADER.unpack(head)
    name_start = info.header_offset + _LOCAL_HEADER.size
    encoding = "utf-8" if info.flag_bits & 0x800 else "cp437"
    wanted = info.orig_filename.encode(encoding, "surrogateescape")
    if signature != _LOCAL_SIGNATURE or whole.peek(name_start, name_length) != wanted:
        raise RejectError(
            Reason.CORRUPT, "the zip directory points to something that is not this member"
        )
    if info.flag_bits & _ENCRYPTED:
        raise RejectError(Reason.UNSUPPORTED, "the zip member is encrypted; decrypt it first")
    start: int = name_start + name_length + extra_length
    if start + info.compress_size > whole.size:
        raise RejectError(
            Reason.TRUNCATED,
            f"the zip member has {info.compress_size} bytes from byte {start} on, "
            f"the file ends at {whole.size}",
        )
    if info.compress_type == zipfile.ZIP_STORED and info.compress_size != info.file_size:
        raise RejectError(Reason.CORRUPT, "the zip directory gives a stored member two sizes")
    return start


def _packed_member(whole: ByteView, info: zipfile.ZipInfo, start: int, most: int) -> PackedMember:
    """A compressed member, of which no more is unpacked yet than its first bytes."""
    if info.compress_type != zipfile.ZIP_DEFLATED:
        raise RejectError(
            Reason.UNSUPPORTED,
            f"the zip member is packed by method {info.compress_type}; only stored and deflated "
            "members can be read",
        )
    if info.file_size > most:
        raise RejectError(
            Reason.TOO_LARGE,
            f"the zip member unfolds to {info.file_size} bytes, more than the limit of {most}",
        )
    if info.file_size > _MAX_DEFLATE_RATIO * info.compress_size:
        raise RejectError(
            Reason.CORRUPT,
            f"the zip directory claims {info.file_size} bytes out of {info.compress_size}",
        )
    return PackedMember(info.file_size, partial(_unpack, whole, info, start))


def _unpack(whole: ByteView, info: zipfile.ZipInfo, start: int, size: int) -> bytearray:
    """The first `size` bytes of a compressed member; of all of them the CRC-32 is checked."""
    data = inflate(whole, start, size, start + info.compress_size)
    if size == info.file_size and zlib.crc32(data) != info.CRC:
        raise _wrong_crc()
    return data
