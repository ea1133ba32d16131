"""What a run left that it must repeat to the bit, wherever and whenever it was cut short."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from trainer.checkpoint import load_checkpoint
from trainer.run_folder import LAST

_FILES = ("metrics.jsonl", "oof.csv", "rejects.csv", "model.safetensors")

Contents = dict[str, bytes]


def contents(out: Path) -> Contents:
    """By name: each file of figures, and each tensor and each other value of every checkpoint.

    The one before the last is left out: which one that is depends on where a run was taken up.
    """
    found = {name: (out / name).read_bytes() for name in _FILES}
    for path in sorted(out.glob("ckpt/*.pt")):
        if path.name != "previous.pt":
            found.update(_parts(path.name, dataclasses.asdict(load_checkpoint(path))))
    return found


def differences(found: Contents, wanted: Contents) -> list[str]:
    """The names that only one of them has or that differ; [] is what must be."""
    return sorted(
        name for name in found.keys() | wanted.keys() if found.get(name) != wanted.get(name)
    )


def last_weights(out: Path) -> dict[str, torch.Tensor]:
    """Those of the last step."""
    return load_checkpoint(out / LAST).model


def furthest(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor]) -> float:
    """The greatest difference of any weight."""
    assert found.keys() == wanted.keys()
    return max((found[name] - wanted[name]).abs().max().item() for name in wanted)


def metrics(out: Path) -> list[dict[str, Any]]:
    """The rows of metrics.jsonl."""
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def _parts(name: str, value: Any) -> Iterator[tuple[str, bytes]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _parts(f"{name}/{key}", item)
    elif isinstance(value, list | tuple):
        for number, item in enumerate(value):
            yield from _parts(f"{name}/{number}", item)
    elif isinstance(value, torch.Tensor):
        yield name, f"{value.dtype} {list(value.shape)} ".encode() + value.numpy().tobytes()
    else:
        yield name, repr(value).encode()
