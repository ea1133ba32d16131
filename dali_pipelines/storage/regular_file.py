"""Opening and reading one regular file, patiently, with every error turned into a verdict.

Nothing but a regular file is ever opened: a FIFO would block for ever, a device may do anything.
Network file systems fail now and then, so a few errors are tried again.
"""

import errno
import os
import stat
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Final, TypeVar

from dali_pipelines.verdicts import Reason, RejectError

T = TypeVar("T")

RETRY_DELAYS_S: Final = (0.05, 0.25)
_TRANSIENT: Final = {errno.EIO, errno.ESTALE, errno.ETIMEDOUT}


@contextmanager
def open_regular(path: str) -> Iterator[tuple[int, os.stat_result]]:
    """The file descriptor, for reading, and the state of a regular file; closed afterwards.

    RejectError: NOT_A_FILE, PERMISSION, IO.
    """
    require_regular(_ask(lambda: os.stat(path)))
    descriptor = _ask(lambda: os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK))
    try:
        state = os.fstat(descriptor)
        require_regular(state)  # it may have been replaced since
        yield descriptor, state
    finally:
        os.close(descriptor)


def require_regular(state: os.stat_result) -> None:
    """Raise RejectError(NOT_A_FILE) for anything but a regular file."""
    if not stat.S_ISREG(state.st_mode):
        raise RejectError(
            Reason.NOT_A_FILE,
            f"a {_kind(state.st_mode)} stands where a regular file was expected",
        )


def read_into(descriptor: int, offset: int, out: memoryview) -> int:
    """Fill `out` from `offset` on; the number of bytes read, less than asked at the file's end.

    RejectError(IO) if the file cannot be read.
    """
    done = 0
    try:
        while done < len(out):
            count = patiently(partial(os.preadv, descriptor, [out[done:]], offset + done))
            if count == 0:
                break
            done += count
    except OSError as error:
        raise reject_of(error) from error
    return done


def patiently(call: Callable[[], T]) -> T:
    """What `call` returns; tried again after a pause where a network file system may recover."""
    for delay_s in RETRY_DELAYS_S:
        try:
            return call()
        except OSError as error:
            if error.errno not in _TRANSIENT:
                raise
            time.sleep(delay_s)
    return call()


def reject_of(error: OSError) -> RejectError:
    """The verdict on a file that the operating system does not give: PERMISSION or IO."""
    name = errno.errorcode.get(error.errno or 0, "unknown error")
    if isinstance(error, PermissionError):
        return RejectError(Reason.PERMISSION, f"no permission to read the file ({name})")
    return RejectError(Reason.IO, f"the file cannot be read: {error.strerror} ({name})")


def _ask(call: Callable[[], T]) -> T:
    """What the operating system answers about a path; its errors as RejectError."""
    try:
        return patiently(call)
    except OSError as error:
        raise reject_of(error) from error
    except ValueError as error:  # a NUL inside the path
        raise RejectError(Reason.IO, "the path is not one that a file can have") from error


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFDIR: "folder",
        stat.S_IFIFO: "FIFO",
        stat.S_IFSOCK: "socket",
        stat.S_IFCHR: "character device",
        stat.S_IFBLK: "block device",
    }
    return kinds.get(stat.S_IFMT(mode), "special file")
