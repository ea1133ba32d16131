"""The pair of a file and its SHA-256, whole after a crash at any of its renamings."""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from dali_pipelines.errors import DamagedError
from trainer.checksums import (
    checksum_path,
    file_sha256,
    is_sound,
    remove_with_checksum,
    replacing_with_checksum,
    require_sound,
)


def _write(path: Path, content: bytes, previous: Path | None = None) -> None:
    with replacing_with_checksum(path, previous) as aside:
        aside.write_bytes(content)


def test_sha256sum_reads_what_lies_beside_a_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    _write(path, b"abc")
    # FIPS 180-2, appendix B.1
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert checksum_path(path).read_text() == f"{digest}  a.bin\n"
    assert file_sha256(path) == digest
    if shutil.which("sha256sum"):
        subprocess.run(["sha256sum", "-c", "a.bin.sha256"], cwd=tmp_path, check=True)


def test_another_content_is_noticed_and_a_file_by_itself_is_not_doubted(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    _write(path, b"abc")
    require_sound(path)
    path.write_bytes(b"abd")
    assert not is_sound(path)
    with pytest.raises(DamagedError, match=r"a\.bin' is damaged.*'a\.bin\.sha256'"):
        require_sound(path)
    checksum_path(path).write_bytes(b"\xff\xfe")
    assert not is_sound(path)
    checksum_path(path).unlink()
    assert is_sound(path)
    remove_with_checksum(path)
    remove_with_checksum(path)
    assert list(tmp_path.iterdir()) == []


def test_the_file_before_moves_with_its_digest(tmp_path: Path) -> None:
    last, previous = tmp_path / "last", tmp_path / "previous"
    for content in (b"1", b"2", b"3"):
        _write(last, content, previous)
    assert (last.read_bytes(), previous.read_bytes()) == (b"3", b"2")
    for path in (last, previous):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert checksum_path(path).read_text() == f"{digest}  {path.name}\n"


def test_a_damaged_file_never_takes_the_place_of_a_sound_one(tmp_path: Path) -> None:
    last, previous = tmp_path / "last", tmp_path / "previous"
    for content in (b"1", b"2"):
        _write(last, content, previous)
    last.write_bytes(b"x")
    _write(last, b"3", previous)
    assert (last.read_bytes(), previous.read_bytes()) == (b"3", b"1")


class _Crash(BaseException):
    """As a kill: nothing in the code may handle it."""


class _Names:
    """Lets so many renamings and removals happen, and then the process is as good as dead."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.left = 0
        self._rename, self._remove = os.replace, os.unlink
        moved, gone = self._replace, self._unlink  # bound: they would not be given the path
        monkeypatch.setattr(Path, "replace", lambda path, target: moved(path, target))  # noqa: PLW0108
        monkeypatch.setattr(Path, "unlink", lambda path, missing_ok=False: gone(path))

    def _count(self) -> None:
        if self.left == 0:
            raise _Crash
        self.left -= 1

    def _replace(self, path: Path, target: Path) -> None:
        self._count()
        self._rename(path, target)

    def _unlink(self, path: Path) -> None:
        is_dead = self.left == 0 and path.name.endswith(".tmp")  # it tidies nothing
        if path.exists() and not is_dead:
            self._count()
            self._remove(path)


@pytest.mark.parametrize("point", range(12))
def test_a_crash_at_any_change_of_a_name_leaves_one_that_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: int
) -> None:
    last, previous = tmp_path / "last", tmp_path / "previous"
    for content in (b"1", b"2"):
        _write(last, content, previous)
    names = _Names(monkeypatch)
    names.left = point
    try:
        _write(last, b"3", previous)
    except _Crash:
        assert point < 9
    else:
        assert point >= 5, "that many names change"
    monkeypatch.undo()
    found = [path.read_bytes() for path in (last, previous) if path.exists()]
    assert found in ([b"2", b"1"], [b"2"], [b"3", b"2"])
    assert all(is_sound(path) for path in (last, previous) if path.exists())
    _write(last, b"4", previous)  # and the run goes on
    assert last.read_bytes() == b"4"
    assert previous.read_bytes() in {b"2", b"3"}
    assert is_sound(last)
    assert is_sound(previous)
