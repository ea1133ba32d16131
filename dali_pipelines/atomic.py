"""Files that exist whole or not at all."""

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from dali_pipelines.errors import ConfigError

PRIVATE_MODE: Final = 0o600  # working files hold paths and ids: for their owner only
PUBLIC_MODE: Final = 0o666  # less the umask


@contextmanager
def replacing(path: Path, mode: int = PUBLIC_MODE) -> Iterator[Path]:
    """A file beside `path` to write to; it takes the place of `path` when the block ends well.

    The content is on disk before the name changes. An error in the block leaves `path` untouched.
    What a killed process left aside is removed. Raises ConfigError if `path` is a folder, a device
    or a pipe, which must not be replaced.
    """
    require_replaceable(path)
    _drop_leftovers(path)
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    aside.unlink(missing_ok=True)
    held = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        _lock(held)
        yield aside
        sync(aside)
        aside.replace(path)
        sync(path.parent)
    finally:
        os.close(held)
        aside.unlink(missing_ok=True)


def require_replaceable(path: Path) -> None:
    """Raise ConfigError if `path` is a folder, a device or a pipe."""
    if path.exists() and not path.is_file():
        raise ConfigError(f"{str(path)!r} is there and is no regular file; name another file")


@contextmanager
def alone_with(path: Path) -> Iterator[None]:
    """As `claim`, for a block that cannot do without: ConfigError where another process is in it.

    Also where there is no such folder.
    """
    if not path.parent.is_dir():
        raise ConfigError(f"no folder {str(path.parent)!r}; make it, or name another file")
    with claim(path) as is_ours:
        if not is_ours:
            raise ConfigError(
                f"another run is writing to {str(path)!r}; wait for it, or choose another place"
            )
        yield


@contextmanager
def claim(path: Path, *, wait: bool = False) -> Iterator[bool]:
    """Whether `path`, there or not, and what lies beside it are this block's until it ends.

    False where another process is in such a block; with `wait` its end is waited for. The mark is
    the lock on a hidden file, `guard_of(path)`, which goes with the block; what a killed process
    left of it holds nobody. A file system without locks lets all in.
    """
    held = _hold(guard_of(path), wait=wait)
    if held is None:
        yield False
        return
    try:
        yield True
    finally:
        guard_of(path).unlink(missing_ok=True)  # while held, so that nobody else's is removed
        os.close(held)


def guard_of(path: Path) -> Path:
    """The file that `claim` locks."""
    return path.with_name(f".{path.name}.lock")


def _hold(guard: Path, *, wait: bool) -> int | None:
    """A descriptor of the locked guard; of one that was removed meanwhile the lock is worthless."""
    while True:
        held = os.open(guard, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, PRIVATE_MODE)
        try:
            is_free = take_lock(held, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            if is_free and _is_at(held, guard):
                return held
        except BaseException:
            os.close(held)
            raise
        os.close(held)
        if not is_free:
            return None


def _is_at(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def take_lock(descriptor: int, kind: int) -> bool:
    """Whether no other process holds a lock against it; True where the file system has no locks.

    `kind` is that of `fcntl.flock`.
    """
    try:
        fcntl.flock(descriptor, kind)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _drop_leftovers(path: Path) -> None:
    """Remove what nobody holds any more: a lock ends with its process, however that ends."""
    leftover = re.compile(rf"\.{re.escape(path.name)}\.\d+\.tmp")
    with suppress(OSError):  # a folder may be closed to readers, a file gone or another's
        for file in list(path.parent.iterdir()):
            if leftover.fullmatch(file.name):
                held = os.open(file, os.O_RDWR | os.O_NOFOLLOW)
                try:
                    if _lock(held):
                        file.unlink()
                finally:
                    os.close(held)


def _lock(descriptor: int) -> bool:
    """Whether the file is this process's alone now; False too where its file system cannot lock."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def sync(path: Path) -> None:
    """Have the operating system write a file or folder to disk now."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
