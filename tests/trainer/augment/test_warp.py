"""One interpolation for all that moves px, against SciPy's at places worked out here."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from dali_pipelines.settings import build
from trainer.augment.elastic import displacements
from trainer.augment.movement import Movement, plan_movement
from trainer.augment.placement import identity
from trainer.augment.settings import AugmentSettings, Change
from trainer.augment.warp import warp

H, W = 40, 30
IMAGE = np.random.default_rng(1).random((H, W), dtype=np.float32)
PLANE = torch.from_numpy(IMAGE)[None, None]
Y, X = np.mgrid[:H, :W] + 0.5 - np.array([H, W]).reshape(2, 1, 1) / 2  # px from the center


def settings(**values: object) -> AugmentSettings:
    return build(AugmentSettings, [("test", values)])[0]


def warped(changes: AugmentSettings, numbers: dict[Change, list[float]]) -> NDArray[np.float32]:
    """PLANE after `changes` with these numbers drawn."""

    def draw(change: Change, rows: NDArray[np.int64], count: int) -> NDArray[np.float64]:
        assert count == len(numbers[change])
        return np.array([numbers[change]])

    chosen = {change: np.zeros(1, np.int64) for change in numbers}
    movement = plan_movement(changes, chosen, draw, 1, (H, W))
    return warp(PLANE, movement, changes)[0, 0].numpy()


def sampled(x: NDArray[np.float64], y: NDArray[np.float64], mode: str = "grid-constant") -> object:
    """IMAGE at places in px from the center."""
    at = [y + H / 2 - 0.5, x + W / 2 - 0.5]
    return map_coordinates(IMAGE.astype(np.float64), at, order=1, mode=mode)


def test_flips_are_exact() -> None:
    found = warped(settings(), {"hflip": [], "vflip": []})
    np.testing.assert_allclose(found, IMAGE[::-1, ::-1], atol=1e-5)


@pytest.mark.parametrize(("border", "mode"), [("black", "grid-constant"), ("reflect", "reflect")])
def test_affine(border: str, mode: str) -> None:
    changes = settings(
        border=border,
        affine={"rotate": 30, "shift": [0.1, 0.2], "scale": [0.5, 1.5]},
    )
    found = warped(changes, {"affine": [1, 1, 0, 0.25, 0.5, 0.5]})
    # shifted by 4 down and 6 left, turned by 30 degrees, enlarged by 0.75: backwards
    cosine, sine = np.cos(np.pi / 6) / 0.75, np.sin(np.pi / 6) / 0.75
    x, y = X + 6, Y - 4
    wanted = sampled(cosine * x + sine * y, -sine * x + cosine * y, mode)
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_a_crop_is_centered_with_black_around_it() -> None:
    changes = settings(crop={"scale": [0.25, 0.25], "ratio": [1, 1]})
    found = warped(changes, {"crop": [0, 0, 0, 1]})
    half = np.sqrt(H * W) / 4
    scale = W / 2 / half  # as wide as the frame
    x, y = X / scale - W / 2 + half, Y / scale + H / 2 - half
    wanted = np.where(np.abs(Y) <= W / 2, sampled(x, y), 0)
    np.testing.assert_allclose(found, wanted, atol=1e-4)
    assert (found[0] == 0).all()
    assert (found[H // 2] > 0).all()


def test_a_crop_is_stretched_over_the_frame() -> None:
    changes = settings(crop={"scale": [0.25, 0.25], "ratio": [1, 1], "fit": "stretch"})
    found = warped(changes, {"crop": [0, 0, 0.5, 0.5]})
    half = np.sqrt(H * W) / 4
    np.testing.assert_allclose(found, sampled(X * half / W * 2, Y * half / H * 2), atol=1e-4)


def test_a_grid_widens_columns_and_rows() -> None:
    found = warped(settings(grid={"steps": 2, "limit": 0.5}), {"grid": [1, 0, 0, 0.5]})
    # columns: 1.5 and 0.5 as wide; rows: 0.5 and 1
    x, y = X + W / 2, Y + H / 2
    x = np.where(x < W / 2, 1.5 * x, 0.75 * W + 0.5 * (x - W / 2)) - W / 2
    y = np.where(y < H / 2, 0.5 * y, 0.25 * H + (y - H / 2)) - H / 2
    np.testing.assert_allclose(found, sampled(x, y), atol=1e-4)


@pytest.mark.parametrize(("drawn", "k"), [(1.0, 0.8), (0.25, -0.4)])
def test_optical_distortion(drawn: float, k: float) -> None:
    found = warped(settings(optical={"limit": 0.8}), {"optical": [drawn]})
    square = (X / W) ** 2 + (Y / H) ** 2
    factor = 1 + k * square + k * square**2
    np.testing.assert_allclose(found, sampled(X * factor, Y * factor), atol=1e-4)


def test_elastic_follows_its_field_and_its_corners() -> None:
    changes = settings(elastic={"alpha": 60, "sigma": 4, "affine": 3})
    found = warped(changes, {"elastic": [0.5, 1, 0.5, 1, 0.5, 1, 0.5]})
    field = displacements(torch.tensor([2**31]), (H, W), 60, 4)[0].double().numpy()
    assert np.abs(field).max() > 1
    # all three corners to the right by 3
    np.testing.assert_allclose(found, sampled(X + field[0] - 3, Y + field[1]), atol=1e-4)


def test_all_together_move_once() -> None:
    changes = settings(
        crop={"scale": [0.5, 0.5], "ratio": [1, 1], "fit": "stretch"},
        optical={"limit": 0.5},
        affine={"rotate": 0, "shift": [0, 0.2], "scale": [1, 1]},
    )
    numbers: dict[Change, list[float]] = {
        "crop": [0, 0, 0.5, 0.5],
        "hflip": [],
        "optical": [1],
        "affine": [0.5, 0.5, 1, 0.5, 0.5, 0.5],
    }
    square = (X / W) ** 2 + (Y / H) ** 2
    factor = 1 + 0.5 * square + 0.5 * square**2
    half = np.sqrt(H * W / 2) / 2
    x, y = -(X * factor - 6) * half * 2 / W, Y * factor * half * 2 / H
    np.testing.assert_allclose(warped(changes, numbers), sampled(x, y), atol=1e-4)


def test_without_movement_px_stay() -> None:
    still = Movement(identity(1), None, None, None, None, None)
    np.testing.assert_allclose(warp(PLANE, still, settings())[0, 0], IMAGE, atol=1e-5)
