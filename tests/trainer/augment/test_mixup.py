"""Mixup, worked by hand."""

import numpy as np
import pytest
import torch

from trainer.augment.mixup import mix
from trainer.augment.texture_settings import MixupSettings

ALWAYS = MixupSettings(1, alpha=1)
PLACES = np.arange(4)
IMAGES = torch.tensor([1.0, 10.0, 100.0, 1000.0]).reshape(4, 1, 1, 1).expand(4, 1, 2, 2)
TARGETS = torch.tensor([[0.0, 3], [1, 3], [0, 3], [1, 3]])
ALL = torch.ones(4, dtype=torch.bool)


def test_images_and_labels_are_the_same_mean_of_the_same_two() -> None:
    # images are powers of ten, so a mean of two tells which ones and how
    labels = torch.eye(4)
    mixed, _ = mix(IMAGES, labels, ALL, ALWAYS, 0, 0, PLACES)
    shares = []
    for column in range(4):  # the label of one sample at a time tells its weight in every mean
        one = torch.zeros(4, 1)
        one[column] = 1
        shares.append(mix(IMAGES, one, ALL, ALWAYS, 0, 0, PLACES)[1][:, 0])
    weights = torch.stack(shares, dim=1)
    assert weights.sum(dim=1).tolist() == pytest.approx([1] * 4)
    assert ((weights > 0).sum(dim=1) == 2).all()
    assert (weights.diagonal() >= 0.5).all()
    expected = (weights * IMAGES[:, 0, 0, 0]).sum(dim=1)
    assert torch.allclose(mixed, expected.reshape(4, 1, 1, 1).expand_as(mixed))


def test_samples_that_are_not_there_are_neither_mixed_nor_mixed_in() -> None:
    valid = torch.tensor([True, False, True, False])
    targets = torch.tensor([[0.0], [torch.nan], [1.0], [torch.nan]])
    images, found = mix(IMAGES, targets, valid, ALWAYS, 0, 0, PLACES)
    assert torch.equal(images[1], IMAGES[1])
    assert torch.equal(images[3], IMAGES[3])
    assert images[0].max() <= 100
    assert torch.isnan(found[:, 0]).tolist() == [False, True, False, True]


def test_unlike_values_of_other_tasks_become_unknown() -> None:
    targets = torch.tensor([[0.0, 3, 1, torch.nan], [1, 3, 2, 5], [0, 3, 1, 5], [1, 3, 2, 5]])
    found = mix(IMAGES, targets, ALL, ALWAYS, 0, 0, PLACES)[1]
    assert (found[:, 1] == 3).all()
    assert torch.isnan(found[0, 3])
    partner_unlike = (found[:, 0] > 0) & (found[:, 0] < 1)  # classes 1 and 2 go with 0 and 1
    assert torch.isnan(found[:, 2]).tolist() == partner_unlike.tolist()


def test_nothing_happens_without_a_second_sample_or_a_probability() -> None:
    one = torch.tensor([False, True, False, False])
    for settings, valid in ((ALWAYS, one), (MixupSettings(0), ALL), (MixupSettings(1e-9), ALL)):
        images, targets = mix(IMAGES, TARGETS, valid, settings, 0, 0, PLACES)
        assert images is IMAGES
        assert targets is TARGETS


def test_samples_left_out_by_chance_keep_their_bits_and_their_unknowns() -> None:
    images, targets = torch.randn(64, 1, 2, 2), torch.rand(64, 2)
    targets[:, 1] = torch.nan
    valid = torch.ones(64, dtype=torch.bool)
    half = MixupSettings(0.5, alpha=0.4)
    found, labels = mix(images, targets, valid, half, 0, 0, np.arange(64))
    kept = [torch.equal(a, b) for a, b in zip(found, images, strict=True)]
    same = labels[:, 0] == targets[:, 0]
    assert same.tolist() == kept
    assert 16 < sum(kept) < 48


def test_views_of_a_sample_are_mixed_alike_and_only_with_the_same_views() -> None:
    images = IMAGES.repeat_interleave(2, dim=0).clone()  # (4 * 2, ...)
    images[1::2] *= 7
    views = torch.tensor([[True, True], [True, True], [True, False], [False, False]])
    targets = torch.eye(4)[:, :1]
    seen_mixed = 0
    for seed in range(8):
        mixed, _ = mix(images, targets, views, ALWAYS, seed, 0, PLACES)
        assert torch.equal(mixed[4:], images[4:])
        assert torch.allclose(mixed[1::2], mixed[::2] * 7)
        seen_mixed += int(not torch.equal(mixed[:4], images[:4]))
    assert seen_mixed > 0


def test_weights_follow_their_beta_distribution() -> None:
    count = 2000
    targets = torch.zeros(count, 1)
    targets[::2] = 1
    valid = torch.ones(count, dtype=torch.bool)
    settings = MixupSettings(1, alpha=0.5)
    found = mix(torch.zeros(count, 1, 1, 1), targets, valid, settings, 0, 0, np.arange(count))[1]
    unlike = found[(found > 0) & (found < 1)]
    own = torch.maximum(unlike, 1 - unlike)
    # the larger part of Beta(1/2, 1/2), the arcsine law: 1/2 + 1/pi on average, deviation 0.154
    assert own.mean().item() == pytest.approx(0.5 + 1 / np.pi, abs=4 * 0.154 / len(unlike) ** 0.5)
