"""The tissue of one view: where it is, how dense, and that its texture falls off as it should."""

import numpy as np
import pytest

from dali_pipelines.phantom.anatomy import (
    DENSE_SHARE,
    FAT,
    GLAND,
    Grid,
    Outline,
    View,
    draw_outline,
    draw_tissue,
)
from dali_pipelines.phantom.texture import enlarge, power_law

GRID = Grid(256, 208, 240 / 256)
FIELD_MM = (240.0, 195.0)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def tissue(view: View, share: float = 0.3, seed: int = 0) -> tuple[np.ndarray, Outline]:
    outline = draw_outline(rng(seed), view, FIELD_MM)
    return draw_tissue(rng(seed), GRID, outline, share), outline


@pytest.mark.parametrize("view", ["CC", "MLO"])
@pytest.mark.parametrize("seed", range(4))
def test_air_is_exactly_zero_and_tissue_is_not(view: View, seed: int) -> None:
    attenuation, outline = tissue(view, seed=seed)
    assert (attenuation.shape, attenuation.dtype) == (GRID.shape, np.float32)
    assert attenuation[attenuation > 0].min() > 0.01
    assert 0.5 < attenuation.max() <= 1.1
    assert not attenuation[:, -20:].any()  # the label's side of the picture
    row, column = int(outline.nipple_mm / GRID.spacing_mm), int(outline.depth_mm / GRID.spacing_mm)
    assert (attenuation[row, : column - 2] > 0).all()
    assert not attenuation[row, column + 8 :].any()


def test_a_cc_breast_ends_within_the_picture_and_an_mlo_breast_meets_the_top() -> None:
    for seed in range(6):
        assert not tissue("CC", seed=seed)[0][[0, -1]].any()
        mlo = tissue("MLO", seed=seed)[0]
        assert mlo[0, 0] > 0
        assert not mlo[-1].any()


def test_only_mlo_shows_the_pectoral_muscle() -> None:
    cc, mlo = (tissue(view, share=0.05)[0] for view in ("CC", "MLO"))
    corner = mlo[2:30, 2:10]
    assert corner.mean() > FAT + 0.5 * (GLAND - FAT)
    assert corner.std() < 0.05
    inside = cc[:, 2:10][cc[:, 2:10] > 0]
    assert inside.mean() < FAT + 0.35 * (GLAND - FAT)


def test_denser_breasts_have_more_bright_tissue() -> None:
    shares = [sum(DENSE_SHARE[letter]) / 2 for letter in "ABCD"]
    assert shares == sorted(shares)
    pictures = [tissue("CC", share)[0] for share in shares]
    bright = [float((p[p > 0] > (FAT + GLAND) / 2).mean()) for p in pictures]
    assert bright == sorted(bright)
    assert bright[0] < 0.15
    assert bright[-1] > 0.4


def test_one_depth_in_either_view_from_the_same_state() -> None:
    assert draw_outline(rng(5), "CC", FIELD_MM).depth_mm == (
        draw_outline(rng(5), "MLO", FIELD_MM).depth_mm
    )


def test_a_place_in_the_outline_worked_by_hand() -> None:
    outline = Outline(nipple_mm=100, depth_mm=80, up_mm=60, down_mm=50)
    assert outline.at(0, 0) == (100, 0)
    assert outline.at(1, 0.7) == (100, 80)
    assert outline.at(0.6, -0.5) == pytest.approx((100 - 0.5 * 60 * 0.8, 48))
    assert outline.at(0.6, 0.5) == pytest.approx((100 + 0.5 * 50 * 0.8, 48))


@pytest.mark.parametrize("exponent", [2.4, 3.0])
def test_power_falls_with_the_exponent(exponent: float) -> None:
    field = power_law(rng(), (512, 512), exponent, longest_px=1e6)
    assert field.dtype == np.float32
    assert (field.mean(), field.std()) == pytest.approx((0, 1), abs=1e-3)
    power = np.abs(np.fft.fft2(field)) ** 2
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(512), np.fft.fftfreq(512)))
    band = (frequency > 0.01) & (frequency < 0.4)
    slope = np.polyfit(np.log(frequency[band]), np.log(power[band]), 1)[0]
    assert slope == pytest.approx(-exponent, abs=0.05)


def test_enlarging_keeps_lines_straight_and_repeats_the_edges() -> None:
    ramp = np.tile(np.arange(4, dtype=np.float32), (2, 1))
    large = enlarge(ramp, (4, 8))
    assert large.dtype == np.float32
    expected = [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]  # output centers at (i + 0.5) / 2 - 0.5
    np.testing.assert_allclose(large, np.tile(expected, (4, 1)))
    assert enlarge(ramp, (2, 4)) is ramp
