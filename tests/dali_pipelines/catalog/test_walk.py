"""walk: every input once, in order, with a reason for whatever is none."""

import itertools
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest

from dali_pipelines.catalog.walk import walk
from dali_pipelines.errors import ConfigError
from dali_pipelines.storage.archive import Source
from dali_pipelines.verdicts import Reason, Reject


def found(root: Path, *sources: Path, own: tuple[Path, ...] = ()) -> list[tuple[str, str, str]]:
    """(path below root, member, reason or "") of each input of a walk, at most 1000."""
    items = itertools.islice(walk(sources or (root,), own), 1000)
    return [
        (
            os.path.relpath(item.path, root),
            item.member,
            item.reason.value if isinstance(item, Reject) else "",
        )
        for item in items
    ]


def fill(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def test_files_of_any_suffix_come_in_order_of_name(tmp_path: Path) -> None:
    fill(tmp_path, "b/2.dcm", "b/1.dicom", "a/9", "c.txt", "b/.hidden")
    assert found(tmp_path) == [
        ("c.txt", "", ""),
        ("a/9", "", ""),
        ("b/.hidden", "", ""),
        ("b/1.dicom", "", ""),
        ("b/2.dcm", "", ""),
    ]


def test_sources_are_absolute_and_relative_names_find_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "sub/a.dcm")
    monkeypatch.chdir(tmp_path / "sub")
    wanted = [Source(str(tmp_path / "sub" / "a.dcm"))]
    assert list(walk([Path()])) == wanted
    assert list(walk([Path("../sub/a.dcm")])) == wanted


def test_a_source_below_another_or_named_twice_adds_nothing(tmp_path: Path) -> None:
    fill(tmp_path, "a/x", "b/y")
    (tmp_path / "alias").symlink_to("b")
    sources = (tmp_path / "b", tmp_path / "a" / "x", tmp_path / "a", tmp_path / "alias")
    assert [path for path, _, _ in found(tmp_path, *sources)] == ["a/x", "alias/y"]


def test_a_missing_source_is_refused_before_anything_is_walked(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        walk([tmp_path, tmp_path / "nowhere"])


def test_links_to_files_are_inputs_and_links_to_folders_are_not_entered(tmp_path: Path) -> None:
    fill(tmp_path, "outside/far.dcm", "in/a.dcm")
    (tmp_path / "in" / "file").symlink_to("a.dcm")
    (tmp_path / "in" / "folder").symlink_to(tmp_path / "outside")
    (tmp_path / "in" / "gone").symlink_to("nothing")
    (tmp_path / "in" / "own").symlink_to("own")
    (tmp_path / "in" / "pipe").symlink_to("/dev/null")
    assert found(tmp_path / "in") == [
        ("a.dcm", "", ""),
        ("file", "", ""),
        ("folder", "", "not_a_file"),
        ("gone", "", "E_IO"),
        ("own", "", "directory_loop"),
        ("pipe", "", "not_a_file"),
    ]


@pytest.mark.parametrize("target", [".", "..", "../..", "/"])
def test_a_link_to_a_folder_above_is_one_loop(tmp_path: Path, target: str) -> None:
    fill(tmp_path, "top/sub/a.dcm")
    (tmp_path / "top" / "sub" / "back").symlink_to(target)
    assert found(tmp_path / "top") == [("sub/a.dcm", "", ""), ("sub/back", "", "directory_loop")]


def test_a_folder_mounted_below_itself_is_one_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "a/b/x")
    real = os.stat

    def bound(path: str, **options: bool) -> os.stat_result:
        return real(str(tmp_path / "a") if str(path).endswith("/a/b") else path, **options)

    monkeypatch.setattr(os, "stat", bound)
    assert found(tmp_path) == [("a/b", "", "directory_loop")]


def test_special_files_are_named_and_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    assert found(tmp_path) == [("fifo", "", "not_a_file")]
    assert found(tmp_path, tmp_path / "fifo") == [("fifo", "", "not_a_file")]


def test_a_folder_that_may_not_be_read_costs_that_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(tmp_path, "closed/x", "open/y")
    real = os.scandir

    def scandir(path: str):
        if path.endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert found(tmp_path) == [("closed", "", "E_PERM"), ("open/y", "", "")]
    (reject,) = (item for item in walk([tmp_path]) if isinstance(item, Reject))
    assert "closed" not in reject.detail


def test_leavings_of_macos_and_directories_of_media_are_no_images(tmp_path: Path) -> None:
    fill(tmp_path, "__MACOSX/a/._x", "__MACOSX/._y", "._z.dcm", "DICOMDIR", "dicomdir", "z.dcm")
    assert found(tmp_path) == [
        ("._z.dcm", "", "not_an_image"),
        ("DICOMDIR", "", "not_an_image"),
        ("__MACOSX", "", "not_an_image"),
        ("dicomdir", "", "not_an_image"),
        ("z.dcm", "", ""),
    ]


def test_members_of_archives_are_inputs_in_order(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "A.ZIP", "w") as archive:
        archive.mkdir("d")
        for name in ("d/2.dcm", "1", "__MACOSX/d/._2.dcm", "__MACOSX/._1", "d/._3", "../out"):
            archive.writestr(name, b"x")
    assert found(tmp_path) == [
        ("A.ZIP", "__MACOSX/", "not_an_image"),
        ("A.ZIP", "../out", ""),
        ("A.ZIP", "1", ""),
        ("A.ZIP", "d/._3", "not_an_image"),
        ("A.ZIP", "d/2.dcm", ""),
    ]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_every_member_of_an_archive_is_one_input(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name, kind in (("b", 0), ("b", 0), ("c", 0), ("a", stat.S_IFLNK), ("b", stat.S_IFLNK)):
            info = zipfile.ZipInfo(name)
            info.create_system, info.external_attr = 3, (kind | 0o644) << 16
            archive.writestr(info, b"x")
        archive.mkdir("d")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr(info, b"x")
    assert found(tmp_path) == [
        ("a.zip", "b", ""),
        ("a.zip", "c", ""),
        ("a.zip", "a", "not_a_file"),
        ("a.zip", "b", "E_DUP_CONFLICT"),
        ("a.zip", "b", "not_a_file"),
        ("b.zip", "b", "not_a_file"),
    ]


def test_an_archive_that_is_empty_or_broken_is_one_reject(tmp_path: Path) -> None:
    zipfile.ZipFile(tmp_path / "a.zip", "w").close()
    (tmp_path / "b.zip").write_bytes(b"PK\x03\x04 and no more")
    (tmp_path / "c.zip").mkdir()
    assert found(tmp_path) == [
        ("a.zip", "", Reason.NOT_AN_IMAGE.value),
        ("b.zip", "", Reason.CORRUPT.value),
    ]


def test_what_the_scan_itself_writes_is_no_input(tmp_path: Path) -> None:
    fill(tmp_path, "m.parquet", "sub/m.parquet", "a.dcm")
    (tmp_path / "alias").symlink_to(tmp_path)
    inputs = found(tmp_path, tmp_path, own=(tmp_path / "alias" / "m.parquet", tmp_path / "new"))
    assert inputs == [
        ("a.dcm", "", ""),
        ("alias", "", "directory_loop"),
        ("sub/m.parquet", "", ""),
    ]


def test_names_that_are_not_text_survive(tmp_path: Path) -> None:
    name = os.fsencode(tmp_path) + b"/\xff\n\xf0\x9f\xa9\xba.dcm"
    with open(name, "wb"):
        pass
    (source,) = walk([tmp_path])
    assert os.fsencode(source.path) == name


def step(folder: int, name: str) -> int:
    """The folder `name` in an open folder, which is closed."""
    below = os.open(name, os.O_RDONLY, dir_fd=folder)
    os.close(folder)
    return below


def test_depth_does_not_exhaust_the_stack(tmp_path: Path) -> None:
    deep = 1050  # Python allows 1000 frames; a path may have 4096 bytes
    folder = os.open(tmp_path, os.O_RDONLY)
    for _ in range(deep):
        os.mkdir("d", dir_fd=folder)
        folder = step(folder, "d")
    os.close(os.open("x", os.O_CREAT, dir_fd=folder))
    sources = list(walk([tmp_path]))
    os.unlink("x", dir_fd=folder)
    for _ in range(deep):  # pytest's own cleaning is recursive
        folder = step(folder, "..")
        os.rmdir("d", dir_fd=folder)
    os.close(folder)
    assert len(sources) == 1
    assert sources[0].path.count("/d") >= deep


def test_a_tar_gives_its_members_and_a_compressed_one_a_reject(tmp_path: Path) -> None:
    for name, mode in (("a.TAR", "w:"), ("b.tar.gz", "w:gz"), ("c.tgz", "w:gz")):
        with tarfile.open(tmp_path / name, mode) as archive:
            archive.addfile(tarfile.TarInfo("image.dcm"))
    assert found(tmp_path) == [
        ("a.TAR", "image.dcm", ""),
        ("b.tar.gz", "", Reason.UNSUPPORTED.value),
        ("c.tgz", "", Reason.UNSUPPORTED.value),
    ]
