import errno
import os
import socket
from pathlib import Path

import pytest

from dali_pipelines.storage import regular_file
from dali_pipelines.storage.regular_file import open_regular, patiently, read_into, reject_of
from dali_pipelines.verdicts import Reason, RejectError


def reason_of(path: Path | str) -> Reason:
    with pytest.raises(RejectError) as caught, open_regular(str(path)):
        pass
    return caught.value.reason


def test_a_file_opens_with_its_state(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"hello")
    out = bytearray(4)
    with open_regular(str(tmp_path / "a")) as (descriptor, state):
        assert state.st_size == 5
        assert read_into(descriptor, 1, memoryview(out)) == 4
        assert read_into(descriptor, 3, memoryview(out)) == 2
    assert out == b"loll"[:2] + b"lo"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


def test_what_is_not_a_regular_file_is_never_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("socket")
    listener.close()
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("opened"))
    names = ("fifo", "folder", "socket", "/dev/null")
    assert {reason_of(name) for name in names} == {Reason.NOT_A_FILE}


def test_a_link_to_a_file_is_a_file_and_a_loop_is_not(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "loop").symlink_to("loop")
    with open_regular(str(tmp_path / "link")) as (_, state):
        assert state.st_size == 1
    assert reason_of(tmp_path / "loop") is Reason.IO


def test_what_the_system_refuses_has_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    assert reason_of("/absent/file") is Reason.IO
    assert reason_of("a\0b") is Reason.IO
    assert str(reject_of(FileNotFoundError(errno.ENOENT, "No such file"))) == (
        "E_IO: the file cannot be read: No such file (ENOENT)"
    )

    def deny(*_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(os, "stat", deny)
    assert reason_of("x") is Reason.PERMISSION


@pytest.mark.parametrize(("code", "calls"), [(errno.EIO, 3), (errno.ESTALE, 3), (errno.ENOENT, 1)])
def test_transient_errors_are_tried_again(
    monkeypatch: pytest.MonkeyPatch, code: int, calls: int
) -> None:
    pauses: list[float] = []
    made = []
    monkeypatch.setattr(regular_file.time, "sleep", pauses.append)

    def fail() -> None:
        made.append(1)
        raise OSError(code, "x")

    with pytest.raises(OSError, match="x"):
        patiently(fail)
    assert len(made) == calls
    assert pauses == list(regular_file.RETRY_DELAYS_S)[: calls - 1]


def test_a_read_that_recovers_is_a_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").write_bytes(b"hello")
    true_read = os.preadv
    answers = [OSError(errno.EIO, "x"), None]

    def flaky(descriptor: int, buffers: list[memoryview], offset: int) -> int:
        answer = answers.pop() if len(answers) == 1 else answers.pop(0)
        if answer is not None:
            raise answer
        answers.append(None)
        return true_read(descriptor, [buffers[0][:2]], offset)  # short reads happen too

    monkeypatch.setattr(os, "preadv", flaky)
    monkeypatch.setattr(regular_file.time, "sleep", lambda _: None)
    out = bytearray(5)
    with open_regular(str(tmp_path / "a")) as (descriptor, _):
        assert read_into(descriptor, 0, memoryview(out)) == 5
    assert out == b"hello"
