import numpy as np
import pytest
import torch
from torch import nn

from dali_pipelines.errors import CheckpointError
from trainer.scoring import score_images


class _Large(nn.Module):
    """Beyond 65504, the greatest of float16, on the way, and 1 in the end."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return nn.functional.linear(images.flatten(1), torch.full((1, 4), 3e4)) / 1.2e5


def test_what_half_precision_cannot_hold_is_scored_in_float32() -> None:
    images, valid = torch.ones(2, 1, 2, 2), np.ones(2, dtype=bool)
    with torch.autocast("cpu", torch.float16):
        assert torch.isinf(_Large()(images)).all()
    assert score_images(_Large(), images, valid, amp="fp16").tolist() == [1.0, 1.0]


def test_scores_that_are_no_numbers_in_float32_either_are_an_error() -> None:
    images, valid = torch.full((2, 1, 2, 2), torch.nan), np.array([True, False])
    with pytest.raises(CheckpointError, match="not numbers"):
        score_images(_Large(), images, valid)
    assert np.isnan(score_images(_Large(), images, ~valid & False)).all()
