"""Checkpoints: all that a run needs to go on, and all that a stranger needs to score images.

A file is a torch zip of plain tensors, dicts, lists and numbers, so `weights_only=True` reads it.
The SHA-256 beside it, or else the zip's own CRC-32 of every record, is checked before anything in
it is believed: torch checks neither.

No state of a random generator is kept, of any rank, since none outlives a step: the order of an
epoch follows from (seed, epoch), augmentation from (seed, epoch, position), dropout from (seed,
place in the run, rank), each drawn anew from these. So the cursor (`epoch`, `blocks`) and the seed
among the settings are all that the numbers to come depend on, beside weights and optimizer.
"""

import logging
import math
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import nn

from dali_pipelines.errors import CheckpointError, DamagedError
from trainer.checksums import checksum_path, replacing_with_checksum, require_sound
from trainer.run_folder import LAST, PREVIOUS

FORMAT: Final = "mammostream-checkpoint"
FORMAT_VERSION: Final = 2
_ZIP_MAGIC: Final = b"PK\x03\x04"
_FOLDER: Final = 0x10  # the attribute of MS-DOS
_PLAIN: Final = (int, float, str, bool, type(None))

log = logging.getLogger("mammo.train")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The state of a run after `blocks` blocks of epoch `epoch` (both counted from 0).

    Blocks are global, so a run may go on with another number of ranks; the learning rate follows
    from them. `model` has the weights in training, `ema` their moving average, {} without one;
    `optimizer` and `scaler` are {} in a checkpoint that is only to score. `model_args` also say
    what one score is for and which tasks have outputs.

    `steps` are those of the optimizer so far, `tallies` (sum of losses, units) over the epoch so
    far, by rank. `data` is the fingerprint of the cohort, `class_prior` the share of positives it
    trains on. `best` is {} before the first validation, else metric, value and epoch; `threshold`
    is the probability that was chosen on it.
    """

    model: dict[str, torch.Tensor]
    model_args: dict[str, Any]
    recipe: dict[str, Any]
    recipe_hash: str
    settings: dict[str, Any]
    optimizer: dict[str, Any]
    epoch: int
    blocks: int
    data: str
    best: dict[str, Any]
    history: list[dict[str, Any]]
    versions: dict[str, str]
    ema: dict[str, torch.Tensor] = field(default_factory=dict)
    scaler: dict[str, Any] = field(default_factory=dict)
    tallies: list[list[float]] = field(default_factory=list)
    steps: int = 0
    world_size: int = 1
    class_prior: float | None = None
    threshold: float | None = None

    @property
    def weights(self) -> dict[str, torch.Tensor]:
        """The weights to score by: the moving average where there is one."""
        return self.ema or self.model

    def tally_of(self, rank: int, size: int) -> list[float]:
        """What a rank of `size` goes on from: its own tally, so that sums keep their order.

        With another number of ranks than before, rank 0 takes the sum and the others begin at 0.
        """
        if len(self.tallies) == size:
            return self.tallies[rank]
        total = [math.fsum(column) for column in zip(*self.tallies, strict=True)] or [0.0, 0.0]
        return total if rank == 0 else [0.0] * len(total)


def save_checkpoint(checkpoint: Checkpoint, path: Path, previous: Path | None = None) -> None:
    """Write the checkpoint and its SHA-256; wherever a crash falls, one is there to go on from.

    The old one stays in place until this one is complete, and then moves to `previous`. Raises
    CheckpointError if it cannot be written, for instance on a full disk, and TypeError if it holds
    what `load_checkpoint` would not open.
    """
    values = {f.name: getattr(checkpoint, f.name) for f in fields(checkpoint)}
    _require_plain(values)
    content = {"format": FORMAT, "format_version": FORMAT_VERSION, **values}
    try:
        with replacing_with_checksum(path, previous) as aside, aside.open("wb") as file:
            torch.save(content, file)  # a path would name the records
    except (OSError, RuntimeError) as error:  # torch loses the number of the system's error
        cause = "not all of it was taken, as on a full disk"
        if isinstance(error, OSError) and error.errno:
            cause = os.strerror(error.errno)
        raise CheckpointError(
            f"cannot write checkpoint {str(path)!r}: {cause}; make room and run the same command "
            "again, which goes on from the last one"
        ) from error


def load_latest(folder: Path) -> tuple[Path, Checkpoint] | None:
    """The last checkpoint in RUN/ckpt, or, with a warning, the one before if it is damaged.

    None where there is neither. Raises CheckpointError where both are damaged, or the last one
    cannot be used for another reason.
    """
    last, previous = folder / Path(LAST).name, folder / Path(PREVIOUS).name
    if last.exists():
        try:
            return last, load_checkpoint(last)
        except DamagedError:
            if not previous.exists():
                raise
            log.warning("%s is damaged; going on from %s", last.name, previous.name)
    if not previous.exists():
        return None
    return previous, load_checkpoint(previous)


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
        if not checksum_path(path).exists():
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


def _require_zip(path: Path) -> None:
    """Raise DamagedError for what is no zip file, such as one that was cut to nothing."""
    with path.open("rb") as file:
        start = file.read(len(_ZIP_MAGIC))
    if start != _ZIP_MAGIC:
        raise DamagedError(f"{str(path)!r} is not a checkpoint: it is no torch zip file")


def _prove_undamaged(path: Path) -> None:
    """Check the CRC-32 of every record, which finds any one flipped byte that matters.

    The attributes of a record are in no CRC-32, and where they call it a folder, torch gives
    whatever was in memory instead of it (measured).
    """
    try:
        with zipfile.ZipFile(path) as archive:
            folders = [e.filename for e in archive.infolist() if e.external_attr & _FOLDER]
            damaged = folders[0] if folders else archive.testzip()
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError) as error:
        raise DamagedError(
            f"checkpoint {str(path)!r} is damaged or was cut short ({error}); use another"
        ) from error
    if damaged:
        raise DamagedError(
            f"checkpoint {str(path)!r} is damaged: record {damaged} fails its checksum; use another"
        )


def _require_plain(value: Any, place: str = "checkpoint") -> None:
    """Raise TypeError, and say where, for what `weights_only=True` would refuse to open."""
    if isinstance(value, dict):
        for key, item in value.items():
            _require_plain(item, f"{place}[{key!r}]")
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            _require_plain(item, f"{place}[{number}]")
    elif not isinstance(value, torch.Tensor) and type(value) not in _PLAIN:
        raise TypeError(f"{place} is a {type(value).__name__}, which is not opened again")


def _read_safetensors(path: Path) -> dict[str, Any]:
    try:
        return dict(load_file(path))
    except SafetensorError as error:
        raise CheckpointError(f"{str(path)!r} is not a safetensors file: {error}") from error
