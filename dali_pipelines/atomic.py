"""Files that exist whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from dali_pipelines.errors import ConfigError

PRIVATE_MODE: Final = 0o600  # working files hold paths and ids: for their owner only
PUBLIC_MODE: Final = 0o666  # less the umask


@contextmanager
def replacing(path: Path, mode: int = PUBLIC_MODE) -> Iterator[Path]:
    """A file beside `path` to write to; it takes the place of `path` when the block ends well.

    The content is on disk before the name changes. An error in the block leaves `path` untouched.
    Raises ConfigError if `path` is a folder, a device or a pipe, which must not be replaced.
    """
    if path.exists() and not path.is_file():
        raise ConfigError(f"{str(path)!r} is there and is no regular file; name another file")
    aside = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    aside.unlink(missing_ok=True)
    os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
    try:
        yield aside
        sync(aside)
        aside.replace(path)
        sync(path.parent)
    finally:
        aside.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Have the operating system write a file or folder to disk now."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
