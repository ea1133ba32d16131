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
    if path.exists() and not path.is_file():
        raise ConfigError(f"{str(path)!r} is there and is no regular file; name another file")
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


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """The folder, made if there is none, is this block's until it ends, however that happens.

    Raises ConfigError where another process is in such a block. A file system without locks lets
    all in.
    """
    folder.mkdir(parents=True, exist_ok=True)
    held = os.open(folder, os.O_RDONLY)
    try:
        _require_unheld(held, folder)
        yield
    finally:
        os.close(held)


def _require_unheld(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise ConfigError(
            f"another run is writing to {str(folder)!r}; wait for it, or choose another folder"
        ) from error
    except OSError:
        return


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
