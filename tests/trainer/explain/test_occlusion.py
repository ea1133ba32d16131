"""Occlusion: what is lost by covering, on networks whose answer is known."""

import numpy as np
import torch
from torch import nn

from trainer.explain.occlusion import covers, occlusion


class CornerMean(nn.Module):
    """The mean of the upper left 8 x 8 px, times `sign`."""

    def __init__(self, sign: float = 1) -> None:
        super().__init__()
        self.sign = sign

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.sign * images[:, :, :8, :8].mean((1, 2, 3))[:, None]


class Both(nn.Module):
    """The means of both views of a unit, the second one three times; a missing view is 0."""

    def forward(self, images: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        means = images.mean((1, 2, 3)).view(present.shape) * present
        return (means * torch.tensor([1.0, 3.0])).sum(1, keepdim=True)


def bright_corner() -> torch.Tensor:
    images = torch.zeros(1, 1, 32, 24)
    images[..., :8, :8] = 1
    return images


def test_covers_reach_every_px_and_end_with_the_image() -> None:
    seen = np.zeros((13, 10), int)
    for top, bottom, left, right in covers((13, 10), 4):
        assert (bottom - top, right - left) == (4, 4)
        seen[top:bottom, left:right] += 1
    assert seen.min() >= 1
    assert covers((3, 10), 4)[0] == (0, 3, 0, 4)


def test_heat_is_where_a_cover_costs_the_network_its_score() -> None:
    heat = occlusion(CornerMean(), bright_corner(), cover=8)
    assert heat.shape == (1, 32, 24)
    assert heat.dtype == np.float32
    assert heat[0, :4, :4].min() == 1  # only the cover that hides all of the square reaches here
    assert not heat[0, 16:].any()
    assert not heat[0, :, 16:].any()


def test_what_speaks_against_cancer_has_no_heat() -> None:
    assert not occlusion(CornerMean(-1), bright_corner(), cover=8).any()


def test_a_cover_is_as_bright_as_what_surrounds_it() -> None:
    # of an even image nothing is lost, whatever its level
    assert not occlusion(CornerMean(), torch.full((1, 1, 32, 24), 7.0), cover=8).any()


def test_the_batch_changes_nothing() -> None:
    images = torch.rand(2, 1, 32, 24, generator=torch.Generator().manual_seed(0))
    one, many = (occlusion(CornerMean(), images, cover=8, batch=n) for n in (1, 64))
    assert np.allclose(one, many, atol=1e-6)


def test_images_are_left_as_they_were() -> None:
    images = bright_corner()
    occlusion(CornerMean(), images)
    assert torch.equal(images, bright_corner())


def test_a_view_is_covered_among_the_others_of_its_unit() -> None:
    images = torch.zeros(4, 1, 32, 24)
    images[1:, :, 8:16, 8:16] = 1
    present = torch.tensor([[True, True], [True, False]])
    heat = occlusion(Both(), images, present, cover=8)
    assert not heat[0].any()  # black
    assert heat[1, 12, 12] == heat[2, 12, 12] == 1
    assert not heat[3].any()  # missing
