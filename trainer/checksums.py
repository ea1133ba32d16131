"""A SHA-256 beside a file, which `sha256sum -c last.pt.sha256` checks anywhere.

Neither torch.load nor safetensors notices a flipped byte in a tensor (measured).
"""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from dali_pipelines.atomic import replacing, sync
from dali_pipelines.errors import DamagedError

_DIGITS: Final = 64  # of a SHA-256 in hexadecimal


def checksum_path(path: Path) -> Path:
    """The file that holds the SHA-256 of `path`: "last.pt.sha256" for "last.pt"."""
    return path.with_name(f"{path.name}.sha256")


@contextmanager
def replacing_with_checksum(path: Path, previous: Path | None = None) -> Iterator[Path]:
    """As `atomic.replacing`, and then the SHA-256 of what was written lies beside it.

    `previous` takes what `path` held before, unless that is damaged. Wherever a crash falls, one of
    the two is whole, and no file lies beside the SHA-256 of another: that of the old content is
    gone, on disk too, before the new content comes, and a file without one is sound.
    """
    with replacing(path) as aside:
        yield aside
        sync(aside)
        digest = file_sha256(aside)
        if previous is not None and path.exists() and is_sound(path):
            _move(path, previous)
        checksum_path(path).unlink(missing_ok=True)
        sync(path.parent)
    with replacing(checksum_path(path)) as aside:
        aside.write_text(f"{digest}  {path.name}\n", encoding="utf-8")


def remove_with_checksum(path: Path) -> None:
    """Remove a file, if it is there, and its SHA-256."""
    path.unlink(missing_ok=True)
    checksum_path(path).unlink(missing_ok=True)


def is_sound(path: Path) -> bool:
    """Whether a file is what the SHA-256 beside it says; True where none is there."""
    while (noted := _noted(path)) is not None:
        if file_sha256(path) == noted:
            return True
        if _noted(path) == noted:  # else it was replaced while it was read
            return False
    return True


def require_sound(path: Path) -> None:
    """Raise DamagedError where a file is not what the SHA-256 beside it says."""
    if not is_sound(path):
        raise DamagedError(
            f"{str(path)!r} is damaged: its SHA-256 is not the one in "
            f"{checksum_path(path).name!r}; use another copy"
        )


def file_sha256(path: Path) -> str:
    """The SHA-256 of a file's content, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _noted(path: Path) -> str | None:
    """The SHA-256 that lies beside a file; None without one, "" where that is no regular file."""
    noted = checksum_path(path)
    try:
        if not noted.is_file():  # a pipe would never end
            return "" if noted.exists() else None
        with noted.open("rb") as file:
            return file.read(_DIGITS).decode("ascii", "replace").lower()
    except FileNotFoundError:
        return None


def _move(path: Path, target: Path) -> None:
    """Rename a file, and then its SHA-256, to take the place of another and its SHA-256."""
    checksum_path(target).unlink(missing_ok=True)
    sync(target.parent)
    path.replace(target)
    if checksum_path(path).exists():
        sync(target.parent)
        with replacing(checksum_path(target)) as aside:
            aside.write_text(f"{_noted(path)}  {target.name}\n", encoding="utf-8")
