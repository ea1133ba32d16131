"""The folder of a shard: made aside, and put in its place by one rename.

    .shard-00000.1f2e3d4c.tmp   being made
    .shard-00000.old            what it takes the place of, for the moment of the exchange
    .shard-00000.lock           held by the process that makes it (atomic.claim)

All of it is to be called by the process that has claimed the shard.
"""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from dali_pipelines.atomic import claim, sync

INDEX: Final = "index.parquet"
_TOKEN_BYTES: Final = 4


@contextmanager
def committing(folder: Path) -> Iterator[Path]:
    """A new folder to fill; it takes the place of `folder` when the block ends well.

    What it holds is on disk before. The index of all shards goes first, so that one that exists
    never tells of another state than the shards'. An error leaves `folder` untouched.
    """
    aside = folder.with_name(f".{folder.name}.{secrets.token_hex(_TOKEN_BYTES)}.tmp")
    aside.mkdir()
    try:
        yield aside
        sync(aside)
        index = folder.with_name(INDEX)
        with claim(index, wait=True):
            index.unlink(missing_ok=True)
            _exchange(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def recover(folder: Path) -> None:
    """Remove what a killed process left aside, and put back what it had taken away last."""
    old = _old(folder)
    if old.exists() and not folder.exists():
        old.rename(folder)
    for leftover in (old, *folder.parent.glob(f".{folder.name}.*.tmp")):
        shutil.rmtree(leftover, ignore_errors=True)


def shards_left_aside(out: Path) -> set[str]:
    """The names of shards of which something lies aside."""
    hidden = (path.name for path in out.glob(".shard-*.*"))
    return {name[1:].partition(".")[0] for name in hidden}


def sync_all(folder: Path) -> None:
    """Have the operating system write the files of a folder to disk.

    And drop them from memory where it can, so that who reads them back reads the disk.
    """
    for file in folder.iterdir():
        descriptor = os.open(file, os.O_RDONLY)
        try:
            os.fsync(descriptor)
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def _exchange(aside: Path, folder: Path) -> None:
    old = _old(folder)
    if folder.exists():
        folder.rename(old)
    aside.rename(folder)
    sync(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")
