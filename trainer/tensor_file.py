"""What lies in a file of tensors that anybody may have written, read so that nothing in it runs.

The SHA-256 beside it, or else the zip's own CRC-32 of every record, is checked before anything in
it is believed: torch checks neither.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from dali_pipelines.errors import CheckpointError, DamagedError
from trainer.checksums import checksum_path, require_sound
from trainer.printable import printable

_ZIP_MAGIC: Final = b"PK\x03\x04"
_FOLDER: Final = 0x10  # the attribute of MS-DOS
_DAMAGE: Final = (  # what zipfile and torch raise on reading what is damaged
    *(OSError, EOFError, LookupError, RuntimeError, ValueError, TypeError, AttributeError),
    *(OverflowError, zipfile.BadZipFile),
)


def read_tensors(path: Path) -> dict[str, Any]:
    """The mapping in a safetensors or torch zip file, which can run no code and is undamaged.

    Raises CheckpointError where it is neither, DamagedError where that is for lost bytes.
    """
    if not path.is_file():
        inside = [*path.glob("best.pt"), *path.glob("ckpt/best.pt"), *path.glob("*.pt")]
        better = f", which is a folder; name {str(inside[0])!r} in it" if inside else ""
        raise CheckpointError(f"no checkpoint {str(path)!r}{better}")
    try:
        require_sound(path)
        if path.suffix == ".safetensors":
            return _read_safetensors(path)
        _require_zip(path)
        _prove_sound(path, whole=not checksum_path(path).exists())
        content = torch.load(path, map_location="cpu", weights_only=True)
    except CheckpointError:  # already says which file and why
        raise
    except UnpicklingError as error:
        raise CheckpointError(
            f"{str(path)!r} holds more than plain tensors and numbers, and is not opened: what it "
            "would run on loading is unknown"
        ) from error
    except _DAMAGE as error:
        raise CheckpointError(
            f"{str(path)!r} cannot be read: {printable(str(error), 200)}"
        ) from error
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{str(path)!r} holds a {type(content).__name__}, not named tensors")
    return dict(content)


def _require_zip(path: Path) -> None:
    """Raise DamagedError for what is no zip file, such as one that was cut to nothing."""
    with path.open("rb") as file:
        start = file.read(len(_ZIP_MAGIC))
    if start != _ZIP_MAGIC:
        raise DamagedError(f"{str(path)!r} is not a checkpoint: it is no torch zip file")


def _prove_sound(path: Path, *, whole: bool) -> None:
    """Check that no record unfolds to more than the file, and with `whole` the CRC-32 of each.

    That finds any one flipped byte that matters. The attributes of a record are in no CRC-32, and
    where they call it a folder, torch gives whatever was in memory instead of it (measured).
    """
    try:
        with zipfile.ZipFile(path) as archive:
            records = archive.infolist()
            folders = [e.filename for e in records if e.external_attr & _FOLDER]
            is_larger = sum(e.file_size for e in records) > path.stat().st_size
            damaged = folders[0] if folders else archive.testzip() if whole else None
    except _DAMAGE as error:
        raise DamagedError(
            f"checkpoint {str(path)!r} is damaged or was cut short "
            f"({printable(str(error), 200)}); use another"
        ) from error
    if damaged:
        raise DamagedError(
            f"checkpoint {str(path)!r} is damaged: record {printable(damaged)} fails its checksum; "
            "use another"
        )
    if is_larger:
        raise CheckpointError(
            f"{str(path)!r} is compressed, which no checkpoint of `mammo train` is, and is not "
            "opened: it would take more memory than it is long"
        )


def _read_safetensors(path: Path) -> dict[str, Any]:
    try:
        return dict(load_file(path))
    except SafetensorError as error:
        raise CheckpointError(
            f"{str(path)!r} is not a safetensors file: {printable(str(error), 200)}"
        ) from error
