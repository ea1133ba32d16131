"""Downscale, blur, median and noise against OpenCV and against what noise must be."""

import cv2
import numpy as np
import pytest
import torch

from trainer.augment.texture import add_noise, blur, downscale, median
from trainer.augment.texture_settings import BlurSettings, DownscaleSettings, NoiseSettings

RNG = np.random.default_rng(0)
PLANES = torch.from_numpy(RNG.random((3, 1, 41, 29), dtype=np.float32))


def test_downscale_is_linear_both_ways() -> None:
    draws = np.array([[0.0], [0.5], [1.0]])
    found = downscale(PLANES, draws, DownscaleSettings(1, (0.4, 0.8)))
    for plane, image, scale in zip(PLANES, found, (0.4, 0.6, 0.8), strict=True):
        small = cv2.resize(plane[0].numpy(), (round(29 * scale), round(41 * scale)))
        np.testing.assert_allclose(image[0].numpy(), cv2.resize(small, (29, 41)), atol=1e-5)


def test_blur_is_opencvs_gaussian() -> None:
    draws = np.array([[0.0], [0.5], [1.0]])
    found = blur(PLANES, draws, BlurSettings(1, (0.5, 2)))
    for plane, image, sigma in zip(PLANES, found, (0.5, 1.25, 2), strict=True):
        edge = 2 * int(np.ceil(3 * sigma)) + 1
        wanted = cv2.GaussianBlur(
            plane[0].numpy(), (edge, edge), sigma, borderType=cv2.BORDER_REPLICATE
        )
        np.testing.assert_allclose(image[0].numpy(), wanted, atol=1e-5)


def test_blur_does_not_depend_on_the_widest_of_the_batch() -> None:
    settings = BlurSettings(1, (0.5, 2))
    alone = blur(PLANES[:1], np.array([[0.2]]), settings)
    among = blur(PLANES, np.array([[0.2], [0.9], [0.0]]), settings)
    assert torch.equal(alone[0], among[0])


def test_median_is_opencvs() -> None:
    found = median(PLANES)
    for plane, image in zip(PLANES, found, strict=True):
        np.testing.assert_array_equal(image[0].numpy(), cv2.medianBlur(plane[0].numpy(), 3))


def test_noise_is_normal_and_not_the_same_in_two_images() -> None:
    gray = torch.full((2, 1, 200, 300), 0.5)
    found = add_noise(gray, np.array([[0.1, 0.0], [0.7, 1.0]]), NoiseSettings(1, (0.01, 0.1)))
    for image, std in zip(found.double() - 0.5, (0.01, 0.1), strict=True):
        z = (image / std).flatten()
        # of 60,000: four standard deviations of mean, deviation, skewness and kurtosis
        assert z.mean().item() == pytest.approx(0, abs=0.017)
        assert z.std().item() == pytest.approx(1, abs=0.012)
        assert (z**3).mean().item() == pytest.approx(0, abs=0.064)
        assert (z**4).mean().item() == pytest.approx(3, abs=0.16)
        plane = z.reshape(200, 300)
        for shifted in (plane[1:] * plane[:-1], plane[:, 1:] * plane[:, :-1]):
            assert shifted.mean().item() == pytest.approx(0, abs=0.017)
    both = ((found[0] - 0.5) * (found[1] - 0.5)).double().mean() / 0.001
    assert both.item() == pytest.approx(0, abs=0.017)
