"""Checkpoints: all that a run needs to go on, and all that a stranger needs to score images.

A file is a torch zip of plain tensors, dicts, lists and numbers, so `weights_only=True` reads it.

No state of a random generator is kept, of any rank, since none outlives a step: the order of an
epoch follows from (seed, epoch), augmentation from (seed, epoch, position), dropout from (seed,
place in the run, rank), each drawn anew from these. So the cursor (`epoch`, `blocks`) and the seed
among the settings are all that the numbers to come depend on, beside weights and optimizer.
"""

import logging
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Final, get_origin, get_type_hints

import torch
from torch import nn

from dali_pipelines.errors import CheckpointError, DamagedError
from trainer.checksums import replacing_with_checksum
from trainer.printable import printable
from trainer.run_folder import LAST, PREVIOUS
from trainer.tensor_file import read_tensors

FORMAT: Final = "mammostream-checkpoint"
FORMAT_VERSION: Final = 2
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
    require_format(content, FORMAT, path)
    names = [f.name for f in fields(Checkpoint)]
    absent = [name for name in names if name not in content]
    if absent:
        raise CheckpointError(f"checkpoint {str(path)!r} lacks {', '.join(absent)}")
    return checkpoint_of({name: content[name] for name in names}, path)


def require_format(content: Mapping[str, Any], wanted: str, path: Path) -> None:
    """Raise CheckpointError where what a file holds is not in this version of that format."""
    found, version = content.get("format"), content.get("format_version")
    if not isinstance(found, str) or found != wanted:
        raise CheckpointError(f"{str(path)!r} is no {wanted} that `mammo train` wrote")
    if type(version) is not int or version != FORMAT_VERSION:
        raise CheckpointError(
            f"{str(path)!r} has format {printable(repr(version))}, this version reads format "
            f"{FORMAT_VERSION}; use the version that wrote it"
        )


def checkpoint_of(values: Mapping[str, Any], path: Path) -> Checkpoint:
    """The checkpoint of those fields; CheckpointError where one is of another type than its own."""
    hints = get_type_hints(Checkpoint)
    odd = [name for name, value in values.items() if not isinstance(value, _kind(hints[name]))]
    weights = [values.get("model", {}), values.get("ema", {})]
    if odd or not all(_is_named_tensors(some) for some in weights):
        raise CheckpointError(
            f"{str(path)!r} was not written by `mammo train`: "
            f"{', '.join(odd) or 'model'} is not what it writes"
        )
    return Checkpoint(**values)


def restore_model(model: nn.Module, weights: Mapping[str, torch.Tensor], source: str) -> None:
    """Give the network exactly those weights; CheckpointError if names, shapes or kinds differ.

    Also where a weight is no finite number, with which no image would get a score.
    """
    own = model.state_dict()
    for name, value in weights.items():
        if name in own and value.is_floating_point() != own[name].is_floating_point():
            raise CheckpointError(f"{source} has numbers of another kind in {printable(name)}")
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise CheckpointError(f"{source} has weights that are no finite numbers")
    try:
        model.load_state_dict(weights, strict=True)
    except RuntimeError as error:
        first = "".join(str(error).splitlines()[1:2]).strip()
        raise CheckpointError(
            f"{source} is of another network than {type(model).__name__}: {printable(first, 200)}"
        ) from error


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


def _kind(hint: Any) -> Any:
    """What `isinstance` takes for an annotation: dict for dict[str, Any]."""
    origin = get_origin(hint)
    return origin if origin in (dict, list) else hint


def _is_named_tensors(weights: Any) -> bool:
    """Whether these are tensors by name, each with memory for all of its numbers.

    A view that repeats one number takes no room in a file and any room in memory.
    """
    return isinstance(weights, Mapping) and all(
        isinstance(name, str)
        and isinstance(value, torch.Tensor)
        and value.layout == torch.strided
        and value.numel() * value.itemsize <= value.untyped_storage().nbytes()
        for name, value in weights.items()
    )
