"""The members of a zip file: where each lies, and how a compressed one is unpacked (APPNOTE)."""

import stat
import struct
import zipfile
import zlib
from functools import lru_cache, partial
from typing import Final

from dali_pipelines.storage.archive_directory import Directory, not_a_file, sort_members
from dali_pipelines.storage.byte_view import ByteView, PackedMember
from dali_pipelines.storage.inflate import inflate
from dali_pipelines.storage.regular_file import patiently, reject_of
from dali_pipelines.verdicts import Reason, RejectError

_LOCAL_HEADER: Final = struct.Struct("<4s22xHH")  # APPNOTE 4.3.7: signature, name and extra lengths
_LOCAL_SIGNATURE: Final = b"PK\x03\x04"
_ENCRYPTED: Final = 0x1 | 0x40  # general purpose bits 0 and 6, APPNOTE 4.4.4
_UNIX: Final = 3  # `create_system` of members whose mode is a Unix one, APPNOTE 4.4.2
_MAX_DEFLATE_RATIO: Final = 1032  # zlib's own bound: 258 bytes from 2 bits
_CACHED: Final = 8  # a directory of 50,000 members takes about 20 MB and 0.4 s to read
_ERRORS: Final = (
    zipfile.BadZipFile,
    NotImplementedError,
    ValueError,
    struct.error,
    OverflowError,
    EOFError,
)


@lru_cache(maxsize=_CACHED)
def read_directory(path: str, _size: int, _mtime_ns: int) -> Directory[zipfile.ZipInfo]:
    """What a zip file holds; read anew when the file's size or time changes.

    RejectError: CORRUPT, IO, PERMISSION.
    """
    try:
        with patiently(lambda: zipfile.ZipFile(path)) as archive:
            members = [info for info in archive.infolist() if not info.filename.endswith("/")]
    except _ERRORS as error:
        raise RejectError(
            Reason.CORRUPT, "the file is not a zip archive that can be read"
        ) from error
    except OSError as error:
        raise reject_of(error) from error
    return sort_members(
        (info.filename, info) if _is_regular(info) else not_a_file(info.filename)
        for info in members
    )


def is_stored(info: zipfile.ZipInfo) -> bool:
    """Whether a member's bytes lie in the file as they are."""
    return info.compress_type == zipfile.ZIP_STORED


def data_start(whole: ByteView, info: zipfile.ZipInfo) -> int:
    """Where the member's data begin in the file, from its local header.

    RejectError: TRUNCATED, CORRUPT, UNSUPPORTED (encrypted).
    """
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


def packed_member(whole: ByteView, info: zipfile.ZipInfo, start: int, most: int) -> PackedMember:
    """A compressed member, of which no more is unpacked yet than its first bytes.

    RejectError: UNSUPPORTED (packed by another method than deflate), TOO_LARGE above `most` bytes,
    CORRUPT.
    """
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


def wrong_crc() -> RejectError:
    """The error of a member whose bytes are not those that its directory tells of."""
    return RejectError(Reason.CORRUPT, "the zip member's bytes do not match its CRC-32")


def _is_regular(info: zipfile.ZipInfo) -> bool:
    kind = stat.S_IFMT(info.external_attr >> 16) if info.create_system == _UNIX else 0
    return bool(info.filename) and kind in (0, stat.S_IFREG)


def _unpack(whole: ByteView, info: zipfile.ZipInfo, start: int, size: int) -> bytearray:
    """The first `size` bytes of a compressed member; of all of them the CRC-32 is checked."""
    data = inflate(whole, start, size, start + info.compress_size)
    if size == info.file_size and zlib.crc32(data) != info.CRC:
        raise wrong_crc()
    return data
