"""Augmentation on a GPU, as far as that shows without one: on tensors that hold no numbers.

A value read back, or a shape that depends on values, would be a wait for the device, and raises;
so does an operation on tensors of two devices.
"""

from typing import Any

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from dali_pipelines.settings import build
from trainer.augment.augmenter import Augmenter
from trainer.augment.levels import Levels
from trainer.augment.mixup import mix
from trainer.augment.settings import CHANGES, AugmentSettings
from trainer.augment.texture_settings import MixupSettings

FLAT = {"hflip", "vflip", "median"}
EVERY = build(AugmentSettings, [("t", {c: 0.5 if c in FLAT else {"p": 0.5} for c in CHANGES})])[0]


@pytest.fixture
def pinned(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """The tables put into pinned memory, which needs a driver and is left out here."""
    tables: list[torch.Tensor] = []

    def pin(table: torch.Tensor) -> torch.Tensor:
        tables.append(table)
        return table

    monkeypatch.setattr(torch.Tensor, "pin_memory", pin)
    return tables


@pytest.mark.parametrize("levels", [Levels((0.0,), (1.0,)), Levels(None, None)])
def test_nothing_is_read_back(levels: Levels, pinned: list[torch.Tensor]) -> None:
    with FakeTensorMode():
        images = torch.empty(6, 1, 48, 36, device="cuda")
        changed = Augmenter(EVERY, levels, 0)(images, 0, np.arange(6))
    assert changed.device.type == "cuda"
    assert changed.shape == images.shape
    assert 10 < len(pinned) < 60


class OnHost:
    """A mask whose numbers can be read, as the mode below takes them from every real tensor."""

    def __len__(self) -> int:
        return 4

    def numpy(self) -> np.ndarray:
        return np.array([True, True, False, True])


def test_mixup_reads_nothing_back(pinned: list[torch.Tensor]) -> None:
    valid: Any = OnHost()
    with FakeTensorMode():
        images, targets = (torch.empty(shape, device="cuda") for shape in ((4, 1, 9, 9), (4, 3)))
        mixed = mix(images, targets, valid, MixupSettings(1), 0, 0, np.arange(4))
    assert [m.shape for m in mixed] == [images.shape, targets.shape]
    assert len(pinned) == 2
