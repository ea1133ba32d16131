"""Test-time augmentation: an image as it is and a few changes of it, whose logits are averaged.

    hflip, vflip   mirrored left to right, upside down
    scale=0.9      the picture at 0.9 of its size in the middle of the frame, black around it;
                   above 1 it is enlarged, and what leaves the frame is cut
    crop=0.9       five parts of 0.9 of either edge, from the corners and the middle, each enlarged
                   to the frame, as in Krizhevsky, Sutskever and Hinton, NIPS 2012, section 4.1
    hflip+vflip    one change after the other

All is done on the tensor, on its device. What is enlarged or shrunk is linear between px, with the
filter widened by the factor of shrinking. The same images give the same bits again.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Final

import torch
from torch.nn import functional

from dali_pipelines.errors import ConfigError
from dali_pipelines.recipe import Recipe
from dali_pipelines.settings import closest
from trainer.augment.levels import Levels

_FLIPS: Final = {"hflip": 3, "vflip": 2}  # the axis of (N, C, H, W)
_RANGES: Final = {"scale": (0.5, 2.0), "crop": (0.5, 1.0)}  # beyond, little of the breast is seen
# where the parts of a crop lie: 0 at the top or left, 1 at the bottom or right
_PARTS: Final = ((0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0), (0.5, 0.5))
_KNOWN: Final = "hflip, vflip, scale=0.5 ... 2, crop=0.5 ... 1, joined by +"


@dataclass(frozen=True, slots=True)
class Change:
    """One change: its name, and the share of the edge that it is about where it has one."""

    name: str
    share: float = 1.0

    def __str__(self) -> str:
        return self.name if self.name in _FLIPS else f"{self.name}={self.share:g}"


@dataclass(frozen=True, slots=True)
class Tta:
    """The variants of an image beside itself, each a sequence of changes."""

    variants: tuple[tuple[Change, ...], ...] = ()

    def __str__(self) -> str:
        return ",".join("+".join(map(str, changes)) for changes in self.variants)

    def apply(self, images: torch.Tensor, recipe: Recipe) -> Iterator[torch.Tensor]:
        """The images (N, C, H, W) of that recipe themselves, then each variant of all of them."""
        yield images
        if not self.variants:
            return
        black, _ = Levels.of(recipe).bounds(images)
        for changes in self.variants:
            for places in product(*(_PARTS if c.name == "crop" else (None,) for c in changes)):
                changed = images
                for change, place in zip(changes, places, strict=True):
                    changed = _apply(change, place, changed, black)
                yield changed


def parse_tta(text: str) -> Tta:
    """The variants that "hflip,scale=0.9,hflip+vflip" names, "" for none; `str` gives it back.

    Raises ConfigError for what is no change, or is named twice.
    """
    if not text.strip():
        return Tta()
    variants = tuple(
        tuple(_parse(part.strip()) for part in item.split("+")) for item in text.split(",")
    )
    if len(set(variants)) < len(variants):
        raise ConfigError(f"--tta {text!r} names a change twice; name each once")
    return Tta(variants)


def _parse(text: str) -> Change:
    name, _, number = text.partition("=")
    if name in _FLIPS and "=" not in text:
        return Change(name)
    if name not in _RANGES:
        hint = closest(name, [*_FLIPS, *_RANGES])
        raise ConfigError(f"--tta knows no change {text!r}.{hint} It knows {_KNOWN}.")
    low, high = _RANGES[name]
    try:
        share = float(number)
    except ValueError:
        share = float("nan")
    if not low <= share <= high or share == 1:
        raise ConfigError(
            f"--tta {name} needs a number from {low:g} to {high:g} that is not 1, such as "
            f"{name}=0.9, not {number!r}"
        )
    return Change(name, share)


def _apply(
    change: Change, place: tuple[float, float] | None, images: torch.Tensor, black: torch.Tensor
) -> torch.Tensor:
    if change.name in _FLIPS:
        return images.flip(_FLIPS[change.name])
    if place is not None:
        return _part(images, change.share, place)
    if change.share > 1:
        return _part(images, 1 / change.share, (0.5, 0.5))
    return _shrunk(images, change.share, black)


def _part(images: torch.Tensor, share: float, place: tuple[float, float]) -> torch.Tensor:
    """A part of that share of either edge, enlarged to the frame."""
    height, width = images.shape[2:]
    inner = max(1, round(height * share)), max(1, round(width * share))
    top, left = (round((e - i) * p) for e, i, p in zip((height, width), inner, place, strict=True))
    return _resize(images[:, :, top : top + inner[0], left : left + inner[1]], (height, width))


def _shrunk(images: torch.Tensor, share: float, black: torch.Tensor) -> torch.Tensor:
    """All of the frame in the middle of a black one."""
    height, width = images.shape[2:]
    inner = max(1, round(height * share)), max(1, round(width * share))
    top, left = (height - inner[0]) // 2, (width - inner[1]) // 2
    frame = black.to(images.dtype).expand_as(images).clone()
    frame[:, :, top : top + inner[0], left : left + inner[1]] = _resize(images, inner)
    return frame


def _resize(images: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    resized = functional.interpolate(
        images.float(), size, mode="bilinear", align_corners=False, antialias=True
    )
    return resized.to(images.dtype)
