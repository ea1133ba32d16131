"""Inputs that vanish or change while a run is on, and systems that fail to give them."""

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

from dali_pipelines.verdicts import Reason
from tests.bad_inputs.case import Case
from tests.bad_inputs.sound import tagged

_NAME = "bad.dcm"

During = Callable[[Path], AbstractContextManager[object]]


def _remove(folder: Path) -> None:
    (folder / _NAME).unlink()


def _rename(folder: Path) -> None:
    (folder / _NAME).rename(folder / "other.dcm")


def _truncate(folder: Path) -> None:
    os.truncate(folder / _NAME, 600)


def _append(folder: Path) -> None:
    with (folder / _NAME).open("ab") as file:
        file.write(b"more")


def _touch(folder: Path) -> None:
    os.utime(folder / _NAME, ns=(0, 1))


def _become_folder(folder: Path) -> None:
    _remove(folder)
    (folder / _NAME).mkdir()


def _become_fifo(folder: Path) -> None:
    _remove(folder)
    os.mkfifo(folder / _NAME)


def _flip_bit(folder: Path) -> None:
    """Damage that leaves a valid image, and size and time of the file as they were."""
    file = folder / _NAME
    before = file.stat()
    data = bytearray(file.read_bytes())
    data[-40] ^= 0x10
    file.write_bytes(data)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def _failing_reads(number: int, times: int) -> During:
    """The first `times` reads of the bad file fail with that error; nothing waits."""

    @contextmanager
    def during(folder: Path) -> Iterator[None]:
        real, left = os.preadv, [times]
        bad = os.stat(folder / _NAME).st_ino

        def preadv(descriptor: int, *rest: Any) -> int:
            if left[0] and os.fstat(descriptor).st_ino == bad:
                left[0] -= 1
                raise OSError(number, os.strerror(number))
            return real(descriptor, *rest)

        with mock.patch("os.preadv", preadv), mock.patch("time.sleep"):
            yield

    return during


def _refused(function: str, name: str) -> During:
    """`os.<function>` on `name` is refused, as a file of mode 000 is to all but root."""

    @contextmanager
    def during(folder: Path) -> Iterator[None]:
        real = getattr(os, function)

        def refuse(path: Any, *rest: Any, **options: Any) -> Any:
            if path == str(folder / name):
                raise PermissionError(errno.EACCES, "Permission denied", path)
            return real(path, *rest, **options)

        with mock.patch(f"os.{function}", refuse):
            yield

    return during


def _once_opened(change: Callable[[Path], None], function: str) -> During:
    """`change` comes between two looks at the file: after the answer of `os.<function>`."""

    @contextmanager
    def during(folder: Path) -> Iterator[None]:
        real, bad, done = getattr(os, function), os.stat(folder / _NAME).st_ino, []

        def answer(*args: Any, **options: Any) -> os.stat_result:
            state: os.stat_result = real(*args, **options)
            if state.st_ino == bad and not done:
                done.append(True)
                change(folder)
            return state

        with mock.patch(f"os.{function}", answer):
            yield

    return during


def _closed_folder(folder: Path) -> Path:
    (folder / "closed").mkdir()
    return folder / "closed"


_CHANGED = "another time than the scan saw"
_GONE = "the file cannot be read: No such file or directory (ENOENT)"
_PERM = "no permission to read the file (EACCES)"

CASES = [
    Case("folder_in_its_place", tagged(), Reason.NOT_A_FILE, "a folder", 17, walked=_become_folder),
    Case("vanished_before_scan", tagged(), Reason.IO, _GONE, 17, walked=_remove),
    Case("no_permission", tagged(), Reason.PERMISSION, _PERM, 18, during=_refused("open", _NAME)),
    Case(
        "no_permission_for_folder",
        _closed_folder,
        Reason.PERMISSION,
        _PERM,
        18,
        during=_refused("scandir", "closed"),
    ),
    Case("fifo_in_its_place", tagged(), Reason.NOT_A_FILE, "a FIFO", 20, walked=_become_fifo),
    Case(
        "fifo_between_stat_and_open",
        tagged(),
        Reason.NOT_A_FILE,
        "a FIFO stands where a regular file was expected",
        20,
        during=_once_opened(_become_fifo, "stat"),
    ),
    Case(
        "cut_between_stat_and_read",
        tagged(),
        Reason.TRUNCATED,
        "1536 bytes were to be read at byte 554, only 46 are there",
        21,
        during=_once_opened(_truncate, "fstat"),
    ),
    # Not tried again: what the scan said of the file no longer holds, so it is to be scanned anew.
    Case("removed", tagged(), Reason.IO, _GONE, 21, after=_remove),
    Case("renamed", tagged(), Reason.IO, _GONE, 21, after=_rename),
    Case("truncated", tagged(), Reason.CHANGED, _CHANGED, 21, after=_truncate),
    Case("appended", tagged("j2k"), Reason.CHANGED, _CHANGED, 21, after=_append),
    Case("touched", tagged(), Reason.CHANGED, _CHANGED, 21, after=_touch),
    Case("became_folder", tagged(), Reason.NOT_A_FILE, "a folder", 21, after=_become_folder),
    Case("became_fifo", tagged(), Reason.NOT_A_FILE, "a FIFO", 21, after=_become_fifo),
    Case("flipped_bit", tagged(), Reason.CHANGED, "SHA-256 is not the one", 41, after=_flip_bit),
    Case(
        "eio",
        tagged(),
        Reason.IO,
        "(EIO)",
        22,
        during=_failing_reads(errno.EIO, 99),
    ),
    # A network file system that recovers costs nothing: two more tries after a pause.
    Case("eio_once", tagged(), (), row=22, during=_failing_reads(errno.EIO, 1)),
    Case("estale_twice", tagged(), (), row=22, during=_failing_reads(errno.ESTALE, 2)),
]
