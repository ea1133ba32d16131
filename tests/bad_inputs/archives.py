"""Zip and tar archives that are damaged, hostile, or no archives."""

import io
import stat
import struct
import tarfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

from dali_pipelines.verdicts import Reason
from tests.bad_inputs.case import Build, Case
from tests.bad_inputs.sound import sound_file, write_bytes

_BOMB_BYTES = 8 << 20  # unfolded; 8 kB in the archive
_CENTRAL = b"PK\x01\x02"  # APPNOTE 4.3.12: sizes 20 and 24, CRC 16, flags 8 bytes after it
_LINK = (stat.S_IFLNK | 0o777) << 16


def _archive(
    *names: str, method: int = zipfile.ZIP_STORED, change: Callable[[bytes], bytes] = bytes
) -> Build:
    """An archive with a sound image under each name, of which `change` may make something else."""

    def build(folder: Path) -> Path:
        data = io.BytesIO()
        with zipfile.ZipFile(data, "w", method) as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # two members of one name are asked for
            for k, name in enumerate(names or ("image.dcm",)):
                archive.writestr(name, sound_file(folder / f"{folder.name} {k}").encode())
        return write_bytes(folder, change(data.getvalue()), "bad.zip")

    return build


def _holding(
    data: Callable[[Path], bytes], method: int = zipfile.ZIP_DEFLATED, mode: int = 0
) -> Build:
    """An archive with one member of these bytes."""

    def build(folder: Path) -> Path:
        with zipfile.ZipFile(folder / "bad.zip", "w", method) as archive:
            info = zipfile.ZipInfo("inner.zip")
            info.create_system, info.external_attr = 3, mode
            archive.writestr(info, data(folder), method)
        return folder / "bad.zip"

    return build


def _patched(offset: int, value: bytes) -> Callable[[bytes], bytes]:
    """A change of the bytes at `offset` of the archive's directory."""

    def change(data: bytes) -> bytes:
        at = data.index(_CENTRAL) + offset
        return data[:at] + value + data[at + len(value) :]

    return change


def _encrypted(data: bytes) -> bytes:
    return _patched(8, b"\x01\0")(data[:6] + b"\x01\0" + data[8:])


def _flip(data: bytes) -> bytes:
    """One bit of a pixel is another."""
    at = data.index(_CENTRAL) - 30
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def _nested(folder: Path) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("image.dcm", sound_file(folder).encode())
    return data.getvalue()


def _bytes(data: bytes) -> Build:
    return lambda folder: write_bytes(folder, data, "bad.zip")


def _not_named_zip(folder: Path) -> Path:
    return write_bytes(folder, _nested(folder))


def _compressed_tar(folder: Path) -> Path:
    """A sound image in a tar that is compressed as a whole."""
    image = sound_file(folder).write(folder / "image.dcm")
    with tarfile.open(folder / "bad.tar.gz", "w:gz") as archive:
        archive.add(image, "image.dcm")
    image.unlink()
    return folder / "bad.tar.gz"


def _tar(*names: str, cut: bool = False) -> Build:
    """A plain tar with a sound image under each name; `cut` in the header of the last one."""

    def build(folder: Path) -> Path:
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w:") as archive:
            for k, name in enumerate(names):
                content = sound_file(folder / f"{folder.name} {k}").encode()
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        whole = data.getvalue()
        end = whole.rindex(names[-1].encode()) + 100 if cut else len(whole)
        return write_bytes(folder, whole[:end], "bad.tar")

    return build


def _append(folder: Path) -> None:
    (archive,) = folder.glob("bad.*")
    with archive.open("ab") as file:
        file.write(b"more")


_NO_ZIP = "the file is not a zip archive that can be read"
_CRC = "the zip member's bytes do not match its CRC-32"
_DEFLATED = zipfile.ZIP_DEFLATED

CASES = [
    # Zip archives are read, member by member; their names are never used as paths.
    Case("zip_parent_names", _archive("../out.dcm", "a/../../b.dcm"), (), row=26, count=2),
    Case("zip_absolute_names", _archive("/etc/out.dcm", "C:\\out.dcm"), (), row=26, count=2),
    Case(
        "zip_odd_names", _archive("a\nb.dcm", "\u00e9\U0001fa7a.dcm", "=1+1,x"), (), row=23, count=3
    ),
    Case("zip_encrypted", _archive(change=_encrypted), Reason.UNSUPPORTED, "encrypted", 26),
    Case(
        "zip_bomb",
        _holding(lambda _: bytes(_BOMB_BYTES)),
        Reason.TOO_LARGE,
        f"unfolds to {_BOMB_BYTES} bytes, more than the limit of 1048576",
        26,
        options={"max_inflated": 1 << 20},
    ),
    Case("zip_of_zeros", _holding(lambda _: bytes(_BOMB_BYTES)), Reason.NOT_DICOM, "DICM", 26),
    Case(
        "zip_size_beyond_deflate",
        _archive(method=_DEFLATED, change=_patched(24, struct.pack("<I", 1 << 28))),
        Reason.CORRUPT,
        "the zip directory claims 268435456 bytes out of",
        26,
    ),
    Case(
        "zip_size_too_small",
        _archive(method=_DEFLATED, change=_patched(24, struct.pack("<I", 500))),
        Reason.CORRUPT,
        _CRC,
        26,
    ),
    Case("zip_in_zip", _holding(_nested), Reason.NOT_DICOM, "the letters DICM", 26),
    Case("zip_crc_stored", _archive(change=_flip), Reason.CORRUPT, _CRC, 26),
    Case(
        "zip_crc_deflated",
        _archive(method=_DEFLATED, change=_patched(16, b"\1\2\3\4")),
        Reason.CORRUPT,
        _CRC,
        26,
    ),
    Case("zip_cut", _archive(change=lambda data: data[:-60]), Reason.CORRUPT, _NO_ZIP, 26),
    Case(
        "zip_member_cut",
        _archive(change=lambda data: data[:200] + data[data.index(_CENTRAL) :]),
        Reason.TRUNCATED,
        "the zip file ends before this member begins",
        26,
    ),
    Case(
        "zip_directory_points_elsewhere",
        _archive(change=_patched(42, struct.pack("<I", 99))),
        Reason.CORRUPT,
        "points to something that is not this member",
        26,
    ),
    Case(
        "zip_lzma",
        _archive(method=zipfile.ZIP_LZMA),
        Reason.UNSUPPORTED,
        "packed by method 14",
        26,
    ),
    Case("zip_link", _holding(lambda _: b"../a", mode=_LINK), Reason.NOT_A_FILE, "a link", 26),
    Case(
        "zip_one_name_twice",
        _archive("a.dcm", "a.dcm"),
        Reason.DUPLICATE_CONFLICT,
        "a later member of the archive has this name too",
        26,
        images=1,
    ),
    Case(
        "zip_empty",
        lambda f: write_bytes(f, b"PK\5\6" + bytes(18), "bad.zip"),
        Reason.NOT_AN_IMAGE,
        "without files",
        26,
    ),
    Case(
        "zip_of_text",
        _bytes(b"not a zip"),
        Reason.CORRUPT,
        _NO_ZIP,
        26,
    ),
    Case("zip_by_another_name", _not_named_zip, Reason.NOT_DICOM, "DICM", 11),
    Case(
        "zip_forks",
        _archive("a.dcm", "__MACOSX/._a.dcm"),
        Reason.NOT_AN_IMAGE,
        "macOS resource forks",
        26,
        images=1,
    ),
    Case(
        "zip_changed",
        _archive(),
        Reason.CHANGED,
        "another time than the scan saw",
        21,
        after=_append,
    ),
    Case("tar_parent_names", _tar("../out.dcm", "/etc/out.dcm"), (), row=26, count=2),
    Case(
        "tar_cut",
        _tar("a.dcm", "b.dcm", cut=True),
        Reason.TRUNCATED,
        "what follows its last whole header is lost",
        26,
        images=1,
    ),
    Case("tar_compressed", _compressed_tar, Reason.UNSUPPORTED, "decompress it to a plain", 26),
    Case(
        "tar_changed",
        _tar("a.dcm"),
        Reason.CHANGED,
        "another time than the scan saw",
        21,
        after=_append,
    ),
]
