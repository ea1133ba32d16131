"""Files that exist whole or not at all."""

import errno
import fcntl
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dali_pipelines.atomic import PRIVATE_MODE, alone_with, claim, guard_of, replacing
from dali_pipelines.errors import ConfigError


def test_the_new_content_takes_the_place_of_the_old_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "table"
    path.write_text("old")
    with replacing(path, PRIVATE_MODE) as aside:
        aside.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_content_and_nothing_aside(tmp_path: Path) -> None:
    path = tmp_path / "table"
    path.write_text("old")
    with pytest.raises(OSError, match="disk full"), replacing(path) as aside:
        aside.write_text("half")
        raise OSError("disk full")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_pipe_or_a_folder_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(ConfigError, match="no regular file"), replacing(tmp_path / name):
            pass
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert len(list(tmp_path.iterdir())) == 2


def test_what_a_killed_process_left_aside_is_removed_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "table"
    child = (
        "import os, sys\nfrom pathlib import Path\n"
        "from dali_pipelines.atomic import replacing\n"
        "with replacing(Path(sys.argv[1])):\n    print(os.getpid(), flush=True)\n    input()\n"
    )
    command = [sys.executable, "-c", child, path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdin=-1, stdout=-1, env=environment, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        (tmp_path / ".table.tmp").touch()
        (tmp_path / ".other.1.tmp").touch()
        with replacing(path) as aside:
            assert (tmp_path / f".table.{pid}.tmp").exists()  # at work on it
            aside.write_text("new")
        process.kill()
    with replacing(path) as aside:
        aside.write_text("newer")
    assert sorted(p.name for p in tmp_path.iterdir()) == [".other.1.tmp", ".table.tmp", "table"]


def test_what_one_run_has_claimed_no_other_gets(tmp_path: Path) -> None:
    with claim(tmp_path / "folder") as is_ours, claim(tmp_path / "other") as is_other_ours:
        assert is_ours
        assert is_other_ours
        with claim(tmp_path / "folder") as is_theirs:
            assert not is_theirs
        assert guard_of(tmp_path / "folder").exists()  # still the first one's
    with claim(tmp_path / "folder") as is_ours:
        assert is_ours
    assert not list(tmp_path.iterdir())


def test_who_waits_for_a_claim_gets_it_when_the_other_is_done(tmp_path: Path) -> None:
    path, order = tmp_path / "table", list[str]()

    def second() -> None:
        with claim(path, wait=True) as is_ours:
            assert is_ours
            order.append("second")

    thread = threading.Thread(target=second)
    with claim(path):
        thread.start()
        thread.join(0.05)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert not list(tmp_path.iterdir())


def test_where_there_are_no_locks_all_are_let_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    path = tmp_path / "x"
    with claim(path) as first, claim(path) as second, replacing(path) as aside:
        aside.write_text(f"{first} {second}")
    assert path.read_text() == "True True"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_file_is_one_runs_at_a_time_and_no_mark_of_it_stays(tmp_path: Path) -> None:
    path = tmp_path / "table"
    for _ in range(2):
        with alone_with(path):
            with pytest.raises(ConfigError, match=r"another run is writing to '.*table'"):
                alone_with(path).__enter__()
            with alone_with(tmp_path / "other"):
                pass
        assert not list(tmp_path.iterdir())
    with pytest.raises(ConfigError, match=r"no folder '.*/none'; make it"):
        alone_with(tmp_path / "none" / "table").__enter__()
    guard_of(path).touch()  # of a killed process
    with alone_with(path):
        pass
    assert not list(tmp_path.iterdir())


def test_a_mark_that_was_removed_meanwhile_counts_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first run ends, and removes its mark, between the open and the lock of the second."""
    path, real = tmp_path / "table", fcntl.flock
    links: list[int] = []

    def flock(descriptor: int, operation: int) -> None:
        if not links:
            guard_of(path).unlink()
        links.append(os.fstat(descriptor).st_nlink)
        real(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    with alone_with(path):
        assert links == [0, 1]
