"""What black and white are among a network's numbers, so that changes can be told in gray.

Prepared images hold one plane of gray, whatever their channels: all show it, each with a mean and
a deviation of its own.
"""

from dataclasses import dataclass

import torch

from dali_pipelines.recipe import Recipe
from trainer.upload import upload


@dataclass(frozen=True, slots=True)
class Levels:
    """The numbers that stand for black, which is also what images are padded with, and for white.

    One each for each channel. Both are None where every image has its own: its least and its
    greatest number.
    """

    black: tuple[float, ...] | None
    white: tuple[float, ...] | None

    @classmethod
    def of(cls, recipe: Recipe) -> "Levels":
        """The levels of a recipe's images."""
        resize = recipe.resize
        if resize.per_image == "standardize":
            return cls(None, None)
        scales = list(zip(resize.means, resize.stds, strict=True))
        return cls(
            tuple((0 - mean) / std for mean, std in scales),
            tuple((1 - mean) / std for mean, std in scales),
        )

    def bounds(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Black and white of `images` (N, C, H, W): float32 (N or 1, C or 1, 1, 1), never equal."""
        if self.black is None or self.white is None:
            values = images.float()
            black = values.amin(dim=(1, 2, 3), keepdim=True)
            white = values.amax(dim=(1, 2, 3), keepdim=True)
            return black, torch.where(white > black, white, black + 1)
        black, white = (
            upload([values], torch.float32, images.device)[..., None, None]
            for values in (self.black, self.white)
        )
        return black, white


def to_gray(images: torch.Tensor, black: torch.Tensor, white: torch.Tensor) -> torch.Tensor:
    """The plane (N, 1, H, W) float32 that all channels show, black 0 and white 1."""
    gray: torch.Tensor = (images[:, :1].float() - black[:, :1]) / (white - black)[:, :1]
    return gray


def from_gray(
    gray: torch.Tensor, black: torch.Tensor, white: torch.Tensor, like: torch.Tensor
) -> torch.Tensor:
    """Images that show the plane `gray`, with the channels, dtype and memory format of `like`."""
    return torch.empty_like(like).copy_(black + gray * (white - black))
