"""Checkpoints: all that a run needs to go on, and all that a stranger needs to score images.

A file is a torch zip of plain tensors, dicts, lists and numbers, so `weights_only=True` reads it.
The zip's own CRC-32 of every record is checked before anything in it is believed: torch does not.
"""

import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from dali_pipelines.atomic import replacing
from dali_pipelines.errors import CheckpointError

FORMAT: Final = "mammostream-checkpoint"
FORMAT_VERSION: Final = 1
_ZIP_MAGIC: Final = b"PK\x03\x04"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a run after `blocks` blocks of epoch `epoch` (both counted from 0).

    `optimizer` is {} in a checkpoint that is only to score. `best` is {} before the first
    validation, else metric, value and epoch. `tally` is (sum of losses, images) over the epoch so
    far, `data` the fingerprint of the cohort. Blocks are global, so a run may go on with another
    number of ranks; the seed is among the settings, and the learning rate follows from the blocks.
    """

    model: dict[str, torch.Tensor]
    model_args: dict[str, Any]
    recipe: dict[str, Any]
    recipe_hash: str
    settings: dict[str, Any]
    optimizer: dict[str, Any]
    epoch: int
    blocks: int
    tally: list[float]
    data: str
    best: dict[str, Any]
    history: list[dict[str, Any]]
    versions: dict[str, str]


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write the checkpoint; the previous one stays in place until this one is complete.

    Raises CheckpointError if it cannot be written, for instance on a full disk.
    """
    values = {f.name: getattr(checkpoint, f.name) for f in fields(checkpoint)}
    content = {"format": FORMAT, "format_version": FORMAT_VERSION, **values}
    try:
        with replacing(path) as aside, aside.open("wb") as file:  # a path would name the records
            torch.save(content, file)
    except (OSError, RuntimeError) as error:  # torch loses the number of the system's error
        cause = "not all of it was taken, as on a full disk"
        if isinstance(error, OSError) and error.errno:
            cause = os.strerror(error.errno)
        raise CheckpointError(
            f"cannot write checkpoint {str(path)!r}: {cause}; make room and run the same command "
            "again, which goes on from the last one"
        ) from error


def load_checkpoint(path: Path) -> Checkpoint:
    """The checkpoint in a file, its tensors on the CPU.

    Raises CheckpointError if there is none, or it is damaged, foreign or of another version.
    """
    content = read_tensors(path)
    if content.get("format") != FORMAT:
        raise CheckpointError(f"{str(path)!r} holds tensors but no checkpoint of `mammo train`")
    if content.get("format_version") != FORMAT_VERSION:
        raise CheckpointError(
            f"checkpoint {str(path)!r} has format {content.get('format_version')}, this version "
            f"reads format {FORMAT_VERSION}; use the version that wrote it"
        )
    names = [f.name for f in fields(Checkpoint)]
    absent = [name for name in names if name not in content]
    if absent:
        raise CheckpointError(f"checkpoint {str(path)!r} lacks {', '.join(absent)}")
    return Checkpoint(**{name: content[name] for name in names})


def read_tensors(path: Path) -> dict[str, Any]:
    """The mapping in a safetensors or torch zip file, which can run no code and is undamaged."""
    if not path.is_file():
        inside = sorted(path.glob("*.pt"))  # best.pt before last.pt
        better = f", which is a folder; name {str(inside[0])!r} in it" if inside else ""
        raise CheckpointError(f"no checkpoint {str(path)!r}{better}")
    try:
        if path.suffix == ".safetensors":
            return _read_safetensors(path)
        _prove_undamaged(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except CheckpointError:  # already says which file and why
        raise
    except UnpicklingError as error:
        raise CheckpointError(
            f"{str(path)!r} holds more than plain tensors and numbers, and is not opened: what it "
            "would run on loading is unknown"
        ) from error
    except (OSError, EOFError, KeyError, RuntimeError, ValueError) as error:
        raise CheckpointError(f"{str(path)!r} cannot be read: {error}") from error
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{str(path)!r} holds a {type(content).__name__}, not named tensors")
    return dict(content)


def restore_model(model: nn.Module, weights: Mapping[str, torch.Tensor], source: str) -> None:
    """Give the network exactly those weights; CheckpointError if names or shapes differ."""
    try:
        model.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        first = str(error).splitlines()[1:2]
        raise CheckpointError(
            f"{source} is of another network than {type(model).__name__}: {''.join(first).strip()}"
        ) from error


def _prove_undamaged(path: Path) -> None:
    """Check the CRC-32 of every record, which finds any one flipped byte that matters."""
    with path.open("rb") as file:
        start = file.read(len(_ZIP_MAGIC))
    if start != _ZIP_MAGIC:
        raise CheckpointError(f"{str(path)!r} is not a checkpoint: it is no torch zip file")
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise CheckpointError(
            f"checkpoint {str(path)!r} is damaged or was cut short ({error}); use another"
        ) from error
    if damaged:
        raise CheckpointError(
            f"checkpoint {str(path)!r} is damaged: record {damaged} fails its checksum; use another"
        )


def _read_safetensors(path: Path) -> dict[str, Any]:
    try:
        return dict(load_file(path))
    except SafetensorError as error:
        raise CheckpointError(f"{str(path)!r} is not a safetensors file: {error}") from error
