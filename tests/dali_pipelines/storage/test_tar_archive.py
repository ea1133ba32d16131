import io
import tarfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from dali_pipelines.storage.archive import Source, list_lost_members, list_members, open_source
from dali_pipelines.verdicts import Reason, RejectError

CONTENT = bytes(range(256)) * 40
HOSTILE = ("../../etc/passwd", "/abs/a.dcm", "a\nb.dcm", "C:\\x.dcm", "😀.dcm", "x/" * 150 + "y")


@pytest.fixture
def make_tar(tmp_path: Path) -> Callable[..., Path]:
    """make_tar(kind=..., **members) -> the path of a tar file."""

    def make(kind: int = tarfile.PAX_FORMAT, **members: bytes) -> Path:
        path = tmp_path / "a.tar"
        with tarfile.open(path, "w:", format=kind) as archive:
            for name, data in members.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        return path

    return make


def read(path: Path, member: str) -> tuple[bytes, str, int]:
    with open_source(Source(str(path), member)) as opened:
        return opened.view.peek(0, 1 << 30), opened.storage, opened.base


def reject_of(path: Path, member: str = "a") -> RejectError:
    with pytest.raises(RejectError) as caught:
        read(path, member)
    return caught.value


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_member_is_a_range_of_the_file(make_tar: Callable[..., Path], kind: int) -> None:
    path = make_tar(kind, a=CONTENT, b=b"second")
    assert list_members(path) == ["a", "b"]
    for name, content in (("a", CONTENT), ("b", b"second")):
        data, storage, base = read(path, name)
        assert (data, storage) == (content, "range")
        assert path.read_bytes()[base : base + len(content)] == content


def test_hostile_names_are_only_keys(make_tar: Callable[..., Path]) -> None:
    path = make_tar(**dict.fromkeys(HOSTILE, b"data"))
    assert list_members(path) == list(HOSTILE)
    assert all(read(path, name)[0] == b"data" for name in HOSTILE)


def test_links_devices_and_sparse_files_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w:") as archive:
        for name, kind in (("d", tarfile.DIRTYPE), ("s", tarfile.SYMTYPE), ("f", tarfile.FIFOTYPE)):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
        archive.addfile(tarfile.TarInfo("a"), io.BytesIO())
    assert list_members(path) == ["a"]
    assert [(lost.name, lost.reason) for lost in list_lost_members(path)] == [
        ("s", Reason.NOT_A_FILE), ("f", Reason.NOT_A_FILE),
    ]  # fmt: skip
    assert reject_of(path, "s").reason is Reason.NOT_A_FILE


def test_of_one_name_the_last_member_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w:") as archive:
        for data in (b"first", b"second"):
            info = tarfile.TarInfo("a")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    assert read(path, "a")[0] == b"second"
    assert [lost.reason for lost in list_lost_members(path)] == [Reason.DUPLICATE_CONFLICT]


def lost_of(path: Path) -> list[tuple[str, Reason]]:
    return [(lost.name, lost.reason) for lost in list_lost_members(path)]


def test_what_stands_before_a_cut_is_there(make_tar: Callable[..., Path]) -> None:
    path = make_tar(a=CONTENT, b=CONTENT, c=CONTENT)
    whole, block = path.read_bytes(), 512 + len(CONTENT)
    for size in (2 * block - 1, 2 * block - 600, 2 * block + 100):
        path.write_bytes(whole[:size])
        assert read(path, "a")[0] == CONTENT
        assert ("", Reason.TRUNCATED) in lost_of(path)
    path.write_bytes(whole[: 2 * block - 1])
    with open_source(Source(str(path), "b")) as opened, pytest.raises(RejectError) as caught:
        opened.view.fill(0, memoryview(bytearray(len(CONTENT))))
    assert caught.value.reason is Reason.TRUNCATED


def test_what_follows_the_zeros_of_the_end_is_lost_aloud(make_tar: Callable[..., Path]) -> None:
    path = make_tar(a=CONTENT, b=CONTENT)
    whole, block = path.read_bytes(), 512 + len(CONTENT)
    hole = whole[:block] + bytes(512) + whole[block + 512 :]  # where the header of b was
    for data in (whole + whole, whole + bytes(5000) + b"x", hole):
        path.write_bytes(data)
        assert "a" in list_members(path)
        assert lost_of(path) == [("", Reason.TRUNCATED)]
    path.write_bytes(whole + bytes(5000))
    assert lost_of(path) == []


def test_an_end_without_its_zeros_is_an_end(make_tar: Callable[..., Path]) -> None:
    path = make_tar(a=CONTENT)
    path.write_bytes(path.read_bytes()[: 512 + len(CONTENT)])
    assert (read(path, "a")[0], lost_of(path)) == (CONTENT, [])


def test_a_damaged_header_does_not_pass_for_the_end(make_tar: Callable[..., Path]) -> None:
    path = make_tar(a=CONTENT, b=CONTENT, c=CONTENT)
    data = bytearray(path.read_bytes())
    data[512 + len(CONTENT) + 3] ^= 1  # in the name of b, so that its header's sum is wrong
    path.write_bytes(data)
    assert list_members(path) == ["a"]
    assert lost_of(path) == [("", Reason.TRUNCATED)]


def header_of(size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """A header in the form of GNU, which can hold sizes that no file has."""
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, size
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    "header",
    [
        header_of(-1024),  # leads back to itself
        header_of(-1024, tarfile.CONTTYPE),
        header_of(-1024, tarfile.GNUTYPE_LONGNAME),
        header_of(1 << 62),
        header_of(1 << 40, tarfile.GNUTYPE_LONGNAME),
        header_of(1 << 40, tarfile.XHDTYPE),
        5000 * header_of(0, tarfile.GNUTYPE_LONGNAME),  # a name of a name of a name
    ],
)
def test_headers_of_impossible_sizes_cost_only_what_follows(
    make_tar: Callable[..., Path], header: bytes
) -> None:
    path = make_tar(a=CONTENT)
    path.write_bytes(path.read_bytes()[: 512 + len(CONTENT)] + header + bytes(1024))
    assert read(path, "a")[0] == CONTENT
    assert ("", Reason.TRUNCATED) in lost_of(path)
    path.write_bytes(header + bytes(1024))
    with suppress(RejectError):  # nothing else, and not for ever
        assert list_members(path) in ([], ["x"])


@pytest.mark.parametrize("data", [b"", b"no archive at all" * 100, b"PK\x03\x04" + bytes(600)])
def test_what_is_no_tar_is_corrupt(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.tar").write_bytes(data)
    with pytest.raises(RejectError) as caught:
        list_members(tmp_path / "a.tar")
    assert caught.value.reason is Reason.CORRUPT


def test_a_compressed_tar_under_a_plain_name_is_corrupt(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("a"), io.BytesIO())
    with pytest.raises(RejectError, match="not a tar archive"):
        list_members(tmp_path / "a.tar")
