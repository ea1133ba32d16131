"""Levels, each image by its own values, means and deviations of channels."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from dali_pipelines.cpu.resize import resize
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.stages import Roi


def prepared(image: np.ndarray, **changes) -> np.ndarray:
    """What the step makes of an image none of whose px changes place, (C, H, W), mean 0, std 1."""
    settings = ResizeSettings(**{"size": image.shape, "mean": 0.0, "std": 1.0, **changes})
    out = np.full((1, settings.channels, *settings.size), np.nan, np.float32)
    resize([image], [Roi(0, image.shape[0], 0, image.shape[1])], settings, out)
    return out[0]


def pixels(*values: int) -> np.ndarray:
    return np.array([values], np.uint16)


@pytest.mark.parametrize(
    ("bits", "rounding", "levels"),
    [
        # 385.5 is level 1.5: to the even 2; 128.5 is level 0.5: to the even 0.
        (8, "nearest", [0, 0, 1, 1, 1, 2, 255]),
        (8, "down", [0, 0, 0, 1, 1, 1, 255]),
    ],
)
def test_8_bits_are_multiples_of_257(bits: int, rounding: str, levels: list[int]) -> None:
    image = pixels(0, 128, 129, 257, 385, 386, 65535)
    found = prepared(image, bits=bits, rounding=rounding)[0, 0]
    assert np.array_equal(np.rint(found * 255), levels)
    assert found == pytest.approx(np.array(levels) / 255, rel=1e-6)


def test_16_bits_are_whole_display_values() -> None:
    image = pixels(0, 1, 2, 3)  # to two: 0.5 and 2.5, or, by thirds, 1 / 3 and so on
    as_levels = {"size": (1, 2), "fit": "stretch", "std": 1 / 65535, "bits": 16}
    assert prepared(image, **as_levels)[0, 0].tolist() == [0, 2]  # halves to the even
    assert prepared(image, **as_levels, rounding="down")[0, 0].tolist() == [0, 2]
    assert prepared(pixels(0, 3, 7, 7), **as_levels, rounding="down")[0, 0].tolist() == [1, 7]
    assert prepared(pixels(0, 3, 6, 7), **as_levels)[0, 0].tolist() == [2, 6]


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("kind", ["area", "linear", "triangle"])
def test_rounding_down_does_not_lose_a_level_of_a_flat_image(bits: int, kind: str) -> None:
    settings = {"size": (31, 47), "fit": "stretch", "filter": kind, "std": 1 / 65535}
    for level in (1, 100, 254, 255):
        image = np.full((83, 61), level * 257, np.uint16)
        found = prepared(image, **settings, bits=bits, rounding="down")
        assert (found == level * 257).all()


def test_levels_down_are_those_of_a_cast_of_torchs_floats() -> None:
    image = np.random.default_rng(1).integers(0, 65536, (90, 70), np.uint16)
    found = prepared(
        image, size=(64, 32), fit="stretch", filter="linear", bits=8, rounding="down", std=1 / 255
    )
    floats = torch.from_numpy(image.astype(np.float64) / 257)[None, None]
    levels = interpolate(floats, (64, 32), mode="bilinear")[0, 0].to(torch.uint8).numpy()
    assert (np.rint(found[0]) == levels).mean() > 0.999  # but for those within 1e-4 of a level


def test_what_sums_to_more_than_white_is_white() -> None:
    """Of 51,859 terms in float32 the sum is 65583.4."""
    image = np.full((1, 51859), 65535, np.uint16)
    as_levels = {"size": (1, 1), "fit": "stretch", "std": 1 / 65535}
    assert prepared(image, **as_levels) > 65580  # else this shows nothing
    assert prepared(image, **as_levels, bits=8) == 65535
    assert prepared(image, **as_levels, bits=16) == 65535


def test_min_max_spreads_each_image_with_its_padding() -> None:
    image = np.array([[100], [300], [500]], np.uint16)
    assert prepared(image, per_image="min-max")[0].T.tolist() == [[0, 0.5, 1]]
    padded = prepared(image, per_image="min-max", size=(3, 2))[0]  # black beside it counts
    assert np.abs(padded.T - [[0.2, 0.6, 1.0], [0, 0, 0]]).max() < 1e-6
    normalized = prepared(image, per_image="min-max", mean=0.5, std=0.25, channels=3)
    assert normalized[2].T.tolist() == [[-2, 0, 2]]


@pytest.mark.parametrize("value", [0, 700, 65535])
@pytest.mark.parametrize("bits", [None, 8])
def test_an_image_of_one_value_becomes_black(value: int, bits: int | None) -> None:
    image = np.full((4, 3), value, np.uint16)
    found = prepared(image, per_image="min-max", per_image_bits=bits, mean=0.5, std=0.5)
    assert (found == -1).all()


@given(seed=st.integers(0, 999), least=st.integers(0, 60000), span=st.integers(1, 5535))
def test_min_max_in_8_bits_is_that_of_a_cast(seed: int, least: int, span: int) -> None:
    rng = np.random.default_rng(seed)
    image = rng.integers(least, least + span, (9, 7), np.uint16, endpoint=True)
    found = prepared(image, per_image="min-max", per_image_bits=8, std=1 / 255)[0]
    low, high = int(image.min()), int(image.max())
    parts = (image.astype(int) - low) * 255 // max(1, high - low)  # in integers, so exactly
    assert np.array_equal(np.rint(found), parts)


def test_standardize_is_numpys_mean_and_deviation() -> None:
    image = np.random.default_rng(2).integers(0, 65536, (50, 40), np.uint16)
    found = prepared(image, per_image="standardize")[0]
    assert found == pytest.approx((image - image.mean()) / image.std(), abs=1e-5)
    small = prepared(image, per_image="standardize", size=(31, 40), fit="stretch")[0]
    assert (abs(small.mean()) < 1e-5, small.std()) == (True, pytest.approx(1, abs=1e-5))
    shifted = prepared(image, per_image="standardize", mean=0.5, std=0.25)[0]
    assert shifted == pytest.approx((found - 0.5) / 0.25, abs=1e-5)


def test_an_even_image_is_not_blown_up() -> None:
    """A deviation below 1e-5 of the range, 0.655 display values, counts as that."""
    assert (prepared(np.full((4, 4), 9, np.uint16), per_image="standardize") == 0).all()
    found = prepared(pixels(1000, 1001), per_image="standardize")[0, 0]  # its deviation is 0.5
    assert found == pytest.approx([-0.5 / 0.65535, 0.5 / 0.65535])
    assert prepared(pixels(1000, 1002), per_image="standardize")[0, 0].tolist() == [-1, 1]


def test_each_channel_has_its_own_mean_and_deviation() -> None:
    means, stds = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    found = prepared(pixels(0, 65535), size=(1, 3), channels=3, mean=means, std=stds)
    for plane, mean, std in zip(found, means, stds, strict=True):
        expected = [-mean / std, (1 - mean) / std, -mean / std]
        assert plane[0] == pytest.approx(expected, rel=1e-6)


def test_equal_channels_have_equal_bits() -> None:
    image = np.random.default_rng(3).integers(0, 65536, (9, 8), np.uint16)
    one = prepared(image, mean=0.485, std=0.229)
    given_thrice = prepared(image, mean=(0.485,) * 3, std=(0.229,) * 3, channels=3)
    assert np.array_equal(given_thrice, np.repeat(one, 3, axis=0))
    first_differs = prepared(image, mean=(0.1, 0.485, 0.485), std=0.229, channels=3)
    assert np.array_equal(first_differs[1:], given_thrice[1:])
