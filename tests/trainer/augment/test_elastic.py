"""The elastic field, against noise that SciPy smooths."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter

from trainer.augment.elastic import displacements

SIZE = (600, 500)


def correlation(field: np.ndarray, lag: int) -> float:
    """Mean over both axes of the correlation of px so far apart."""
    down = (field[..., lag:, :] * field[..., :-lag, :]).mean()
    across = (field[..., lag:] * field[..., :-lag]).mean()
    return float((down + across) / 2 / (field**2).mean())


def test_it_is_like_smoothed_noise() -> None:
    keys = torch.tensor([1, 2, 3])
    found = displacements(keys, SIZE, alpha=100, sigma=5).double().numpy()
    noise = np.random.default_rng(0).uniform(-1, 1, (6, *SIZE))
    smooth = 100 * gaussian_filter(noise, (0, 5, 5))
    assert found.shape == (3, 2, *SIZE)
    assert np.sqrt((found**2).mean()) == pytest.approx(100 / (5 * np.sqrt(12 * np.pi)), rel=0.05)
    assert np.sqrt((found**2).mean()) == pytest.approx(np.sqrt((smooth**2).mean()), rel=0.05)
    for lag in (3, 6, 10, 20):
        assert correlation(found, lag) == pytest.approx(correlation(smooth, lag), abs=0.06)


def test_both_axes_and_all_images_move_on_their_own() -> None:
    found = displacements(torch.tensor([1, 2]), SIZE, 100, 5).reshape(4, -1).double()
    apart = np.corrcoef(found.numpy()) - np.eye(4)
    assert np.abs(apart).max() < 0.15


def test_splines_add_up_to_one_everywhere() -> None:
    from trainer.augment.elastic import _splines

    weights = _splines(100, 7.3, torch.device("cpu"))
    assert weights.sum(dim=1).tolist() == pytest.approx([1.0] * 100)
    assert weights.min() >= -1e-6


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (64, 7)])
def test_any_size_is_filled(size: tuple[int, int]) -> None:
    assert displacements(torch.tensor([9]), size, 10, 50).shape == (1, 2, *size)
