import errno
import io
import random
import stat
import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from dali_pipelines.storage.archive import Source, list_members, open_source, require_crc
from dali_pipelines.verdicts import Reason, RejectError

CONTENT = bytes(range(256)) * 40
HOSTILE = ("../../etc/passwd", "/abs/a.dcm", "a\nb.dcm", "C:\\x.dcm", "😀.dcm", " =1+1", "a" * 255)
Zip = Callable[..., Path]


@pytest.fixture
def make_zip(tmp_path: Path) -> Zip:
    """make_zip(method=..., prefix=b"", **members) -> the path of a zip file."""

    def make(method: int = zipfile.ZIP_STORED, prefix: bytes = b"", **members: bytes) -> Path:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.zip"
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", method) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        path.write_bytes(prefix + buffer.getvalue())
        return path

    return make


def read(path: Path, member: str, most: int = 1 << 20) -> tuple[bytes, str, int]:
    with open_source(Source(str(path), member), most) as opened:
        return opened.view.peek(0, 1 << 30), opened.storage, opened.base


def reject_of(path: Path, member: str = "a", most: int = 1 << 20) -> RejectError:
    with pytest.raises(RejectError) as caught:
        read(path, member, most)
    return caught.value


def test_sources_sort_by_path_then_member() -> None:
    assert sorted([Source("b"), Source("a", "z"), Source("a", "b"), Source("a")]) == [
        Source("a"), Source("a", "b"), Source("a", "z"), Source("b"),
    ]  # fmt: skip


def test_a_plain_file_is_a_range_from_its_start(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"hello")
    state = (tmp_path / "a").stat()
    with open_source(Source(str(tmp_path / "a"))) as opened:
        assert (opened.view.peek(0, 9), opened.storage, opened.base) == (b"hello", "range", 0)
        assert (opened.file_size, opened.mtime_ns) == (5, state.st_mtime_ns)


@pytest.mark.parametrize("prefix", [b"", b"#!/bin/sh\n" * 7])
def test_a_stored_member_is_a_range_of_the_zip_file(make_zip: Zip, prefix: bytes) -> None:
    path = make_zip(prefix=prefix, a=b"first", b=CONTENT, c=b"")
    data, storage, base = read(path, "b")
    assert (data, storage) == (CONTENT, "range")
    assert path.read_bytes()[base : base + len(CONTENT)] == CONTENT
    assert read(path, "c")[0] == b""


def test_a_stored_member_can_be_held_to_its_crc(
    make_zip: Zip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dali_pipelines.storage.archive._PIECE_BYTES", 1000)  # ends inside a piece
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        path = make_zip(method, a=CONTENT, b=b"")
        for name in ("a", "b"):
            with open_source(Source(str(path), name)) as opened:
                require_crc(opened)
    with open_source(Source(str(path))) as opened:
        require_crc(opened)  # of a plain file nothing is known
    path = make_zip(a=CONTENT)
    whole = path.read_bytes()
    for at in (0, 5000, len(CONTENT) - 1):
        damaged = bytearray(whole)
        damaged[whole.index(CONTENT) + at] ^= 0x10
        path.write_bytes(damaged)
        with open_source(Source(str(path), "a")) as opened, pytest.raises(RejectError) as caught:
            require_crc(opened)
        assert caught.value.reason is Reason.CORRUPT


def test_a_deflated_member_is_unpacked(make_zip: Zip) -> None:
    path = make_zip(zipfile.ZIP_DEFLATED, a=CONTENT, b=b"x" * 50_000)
    assert read(path, "a") == (CONTENT, "member", 0)
    assert read(path, "b")[0] == b"x" * 50_000


def test_no_more_is_unpacked_than_shows_what_it_is(make_zip: Zip) -> None:
    content = bytes(16 << 20)
    path = make_zip(zipfile.ZIP_DEFLATED, a=content)
    tracemalloc.start()
    with open_source(Source(str(path), "a")) as opened:
        assert opened.view.peek(128, 4) == bytes(4)
        assert opened.view.size == len(content)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert opened.view.peek(0, 1 << 30) == content
        assert opened.view.peek(0, 3) == bytes(3)
    assert peak < 4 << 20  # zlib is asked for 1 MiB at a time


def test_a_streamed_zip_is_read_by_its_directory(tmp_path: Path) -> None:
    class Pipe(io.RawIOBase):  # cannot seek, so that sizes come after the data (APPNOTE 4.4.4)
        def __init__(self) -> None:
            self.data = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:
            self.data += data
            return len(data)

    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        pipe = Pipe()
        with zipfile.ZipFile(pipe, "w", method) as archive:
            archive.writestr("a", CONTENT)
        (tmp_path / "z").write_bytes(pipe.data)
        assert read(tmp_path / "z", "a")[0] == CONTENT


def test_hostile_names_are_only_keys(make_zip: Zip, tmp_path: Path) -> None:
    path = make_zip(**{name: name.encode() for name in HOSTILE})
    assert list_members(path) == list(HOSTILE)
    assert [read(path, name)[0].decode() for name in HOSTILE] == list(HOSTILE)
    assert list(tmp_path.iterdir()) == [path]


def test_folders_links_and_devices_are_no_members(tmp_path: Path) -> None:
    path = tmp_path / "z.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.mkdir("folder")
        archive.writestr("folder/a", CONTENT)
        for name, kind in (("link", stat.S_IFLNK), ("fifo", stat.S_IFIFO)):
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, (kind | 0o644) << 16
            archive.writestr(info, b"/etc/passwd")
    assert list_members(path) == ["folder/a"]
    for name in ("folder/", "link", "fifo", "absent"):
        assert reject_of(path, name).reason is Reason.NOT_A_FILE


def test_a_zip_that_grew_is_read_anew(make_zip: Zip) -> None:
    path = make_zip(a=CONTENT)
    assert list_members(path) == ["a"]
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("b", b"more")
    assert list_members(path) == ["a", "b"]
    assert read(path, "b")[0] == b"more"


def test_an_encrypted_member_is_unsupported(make_zip: Zip) -> None:
    path = make_zip(a=CONTENT, b=b"open")
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02")
    data[entry + 8] |= 1  # general purpose bit 0 of the first member
    path.write_bytes(data)
    assert reject_of(path).reason is Reason.UNSUPPORTED
    assert "encrypted" in reject_of(path).detail
    assert read(path, "b")[0] == b"open"


def test_other_methods_are_unsupported(make_zip: Zip) -> None:
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        assert reject_of(make_zip(method, a=CONTENT)).reason is Reason.UNSUPPORTED


def test_a_member_above_the_cap_is_not_unpacked(make_zip: Zip) -> None:
    path = make_zip(zipfile.ZIP_DEFLATED, a=bytes(100_000))
    assert len(read(path, "a", most=100_000)[0]) == 100_000
    assert reject_of(path, most=99_999).reason is Reason.TOO_LARGE


def test_a_directory_that_lies_about_sizes_is_not_believed(make_zip: Zip) -> None:
    path = make_zip(zipfile.ZIP_DEFLATED, a=bytes(1000))
    for size, reason in (
        (900_000, Reason.CORRUPT),
        (1001, Reason.TRUNCATED),
        (999, Reason.CORRUPT),
    ):
        data = bytearray(path.read_bytes())
        struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, size)
        path.write_bytes(data)
        assert reject_of(path).reason is reason


def test_a_member_past_the_end_is_truncated(make_zip: Zip) -> None:
    path = make_zip(a=CONTENT)
    data = bytearray(path.read_bytes())
    struct.pack_into("<2I", data, data.index(b"PK\x01\x02") + 20, 20_000, 20_000)
    path.write_bytes(data)
    assert reject_of(path).reason is Reason.TRUNCATED


def test_a_stored_member_has_one_size(make_zip: Zip) -> None:
    path = make_zip(a=CONTENT)
    data = bytearray(path.read_bytes())
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, 5)
    path.write_bytes(data)
    assert reject_of(path).reason is Reason.CORRUPT


def test_a_disk_that_fails_is_no_damaged_archive(
    make_zip: Zip, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: str) -> None:
        raise OSError(errno.ENXIO, "no such device")

    path = make_zip(a=CONTENT)
    monkeypatch.setattr(zipfile, "ZipFile", fail)
    assert reject_of(path).reason is Reason.IO


def test_a_flipped_byte_in_a_packed_member_is_noticed(make_zip: Zip) -> None:
    path = make_zip(zipfile.ZIP_DEFLATED, a=CONTENT)
    data = bytearray(path.read_bytes())
    data[60] ^= 0x10
    path.write_bytes(data)
    assert reject_of(path).reason in (Reason.CORRUPT, Reason.TRUNCATED)


def test_a_flipped_byte_far_into_a_packed_member_is_noticed_when_it_is_read(make_zip: Zip) -> None:
    path = make_zip(zipfile.ZIP_DEFLATED, a=random.Random(1).randbytes(9000))
    data = bytearray(path.read_bytes())
    data[8000] ^= 0x10
    path.write_bytes(data)
    with open_source(Source(str(path), "a")) as opened:
        opened.view.peek(0, 4000)
        with pytest.raises(RejectError, match="CRC-32"):
            opened.view.peek(0, 9000)


def test_a_directory_that_points_elsewhere_is_corrupt(make_zip: Zip) -> None:
    path = make_zip(a=CONTENT, b=CONTENT)
    data = bytearray(path.read_bytes())
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 1)
    for offset, reason in ((0, Reason.CORRUPT), (50, Reason.CORRUPT), (1 << 20, Reason.TRUNCATED)):
        struct.pack_into("<I", data, second + 42, offset)
        path.write_bytes(data)
        assert reject_of(path, "b").reason is reason


def test_any_cut_or_byte_of_a_zip_gives_a_verdict(make_zip: Zip) -> None:
    whole = make_zip(zipfile.ZIP_DEFLATED, a=CONTENT[:300], b=b"x").read_bytes()
    path = make_zip(a=b"")
    cuts = [whole[:cut] for cut in range(0, len(whole), 7)]
    flips = range(0, len(whole), 2)
    variants = cuts + [whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :] for at in flips]
    opened = 0
    for data in variants:
        path.write_bytes(data)
        try:
            for name in list_members(path):
                read(path, name)
                opened += 1
        except RejectError as error:
            assert error.reason in set(Reason)  # noqa: PT017 - the type of error is what counts
    assert opened > 0


def test_a_member_without_a_name_or_before_the_file_is_none(make_zip: Zip) -> None:
    path = make_zip(a=CONTENT, b=b"open")
    data = bytearray(path.read_bytes())
    entry = data.index(b"PK\x01\x02")
    data[entry + 46] = 0  # a name ends at a NUL
    second = data.index(b"PK\x01\x02", entry + 1)
    struct.pack_into("<I", data, data.index(b"PK\x05\x06") + 16, entry + 5)  # directory offset
    path.write_bytes(data)
    assert list_members(path) == ["b"]
    struct.pack_into("<I", data, second + 42, 0)
    path.write_bytes(data)
    assert reject_of(path, "b").reason is Reason.TRUNCATED  # at byte -5


def test_what_is_no_zip_is_corrupt(tmp_path: Path) -> None:
    (tmp_path / "z").write_bytes(b"PK\x03\x04 not really")
    assert reject_of(tmp_path / "z").reason is Reason.CORRUPT
    with pytest.raises(RejectError):
        list_members(tmp_path / "z")
    with pytest.raises(RejectError) as caught:
        list_members(tmp_path)
    assert caught.value.reason is Reason.NOT_A_FILE
