"""A batch changed: the same for a position in any batch, and nothing else than was asked for."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from dali_pipelines.recipe import load_recipe
from dali_pipelines.settings import build
from trainer.augment.augmenter import Augmenter
from trainer.augment.levels import Levels
from trainer.augment.presets import load_preset
from trainer.augment.settings import CHANGES, AugmentSettings, Change

GRAY = Levels((0.0,), (1.0,))
IMAGES = torch.rand(6, 1, 48, 36, generator=torch.Generator().manual_seed(0))
PLACES = np.arange(6)


def only(*changes: Change, p: float = 1.0) -> AugmentSettings:
    plain = ("hflip", "vflip", "median")
    return build(AugmentSettings, [("t", {c: p if c in plain else {"p": p} for c in changes})])[0]


EVERY = only(*CHANGES, p=0.5)


def test_nothing_asked_for_gives_the_batch_itself() -> None:
    assert Augmenter(AugmentSettings(), GRAY, 0)(IMAGES, 0, PLACES) is IMAGES
    assert Augmenter(only("noise", p=1e-12), GRAY, 0)(IMAGES, 0, PLACES) is IMAGES


@pytest.mark.parametrize("change", CHANGES)
def test_every_change_changes_every_image_and_leaves_the_batch(change: Change) -> None:
    before = IMAGES.clone()
    after = Augmenter(only(change), GRAY, 0)(IMAGES, 0, PLACES)
    assert torch.equal(IMAGES, before)
    assert after.shape == IMAGES.shape
    assert 0 <= after.min() <= after.max() <= 1
    assert all(not torch.equal(a, b) for a, b in zip(after, before, strict=True))
    again = Augmenter(only(change), GRAY, 0)(IMAGES, 0, PLACES)
    assert torch.equal(after, again)


@pytest.mark.parametrize("change", [c for c in CHANGES if c not in {"hflip", "vflip", "median"}])
def test_seed_epoch_and_position_each_change_an_image_differently(change: Change) -> None:
    image = IMAGES[:1]
    found = [
        Augmenter(only(change), GRAY, seed)(image, epoch, np.array([position]))
        for seed, epoch, position in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))
    ]
    assert all(not torch.equal(a, b) for a, b in itertools.combinations(found, 2))


@given(st.permutations(range(6)), st.integers(1, 6), st.integers(0, 50))
@example_settings(max_examples=25, deadline=None)
def test_a_position_gives_the_same_bits_in_any_batch(
    order: list[int], size: int, first: int
) -> None:
    change = Augmenter(EVERY, GRAY, 3)
    whole = change(IMAGES, 2, first + PLACES)
    some = order[:size]
    part = change(IMAGES[some], 2, first + PLACES[some])
    assert torch.equal(part, whole[some])


def test_images_that_nothing_happens_to_keep_their_bits() -> None:
    images = torch.randn(40, 1, 8, 8)
    after = Augmenter(only("noise", p=0.3), Levels((-1.7,), (2.3,)), 0)(images, 0, np.arange(40))
    kept = [torch.equal(a, b) for a, b in zip(after, images, strict=True)]
    assert 0 < sum(kept) < 40


def test_a_flip_alone_is_exact() -> None:
    both = Augmenter(only("hflip", "vflip"), GRAY, 0)(IMAGES, 0, PLACES)
    assert torch.equal(both, IMAGES.flip(2, 3))
    across = Augmenter(only("hflip"), GRAY, 0)(IMAGES, 0, PLACES)
    assert torch.equal(across, IMAGES.flip(3))


def test_a_flip_within_an_interpolation_is_the_same_flip() -> None:
    still = build(
        AugmentSettings,
        [("t", {"hflip": 1, "affine": {"p": 1, "rotate": 0, "shift": [0, 0], "scale": [1, 1]}})],
    )[0]
    after = Augmenter(still, GRAY, 0)(IMAGES, 0, PLACES)
    assert torch.allclose(after, IMAGES.flip(3), atol=1e-5)


def test_all_channels_show_the_same_change() -> None:
    levels = Levels.of(load_recipe("rsna-1st"))
    black, white = levels.bounds(IMAGES)
    three = Augmenter(EVERY, levels, 5)(black + IMAGES * (white - black), 1, PLACES)
    one = Augmenter(EVERY, GRAY, 5)(IMAGES, 1, PLACES)
    assert three.shape == (6, 3, 48, 36)
    assert torch.allclose((three - black) / (white - black), one.expand(-1, 3, -1, -1), atol=1e-5)


def test_what_is_black_outside_of_the_frame_is_the_recipes_black() -> None:
    settings = build(AugmentSettings, [("t", {"affine": {"p": 1, "shift": [1, 1]}})])[0]
    after = Augmenter(settings, Levels((-2.0,), (3.0,)), 0)(
        torch.full((9, 1, 8, 8), 3.0), 0, np.arange(9)
    )
    assert after.min() == -2
    assert after.max() == pytest.approx(3)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_and_is_computed_in_single(dtype: torch.dtype) -> None:
    images = IMAGES.to(dtype)
    after = Augmenter(EVERY, GRAY, 5)(images, 1, PLACES)
    assert after.dtype == dtype
    assert torch.equal(after, Augmenter(EVERY, GRAY, 5)(images.float(), 1, PLACES).to(dtype))


def test_autocast_does_not_touch_it() -> None:
    plain = Augmenter(EVERY, GRAY, 5)(IMAGES, 1, PLACES)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(Augmenter(EVERY, GRAY, 5)(IMAGES, 1, PLACES), plain)


def test_standardized_images_change_within_their_own_range() -> None:
    images = IMAGES * torch.arange(1, 7)[:, None, None, None] - 2
    after = Augmenter(load_preset("strong"), Levels(None, None), 0)(images, 0, PLACES)
    for image, changed in zip(images, after, strict=True):
        assert changed.min() >= image.min() - 1e-5
        assert changed.max() <= image.max() + 1e-5


def test_the_memory_format_stays() -> None:
    levels = Levels((0.0,) * 3, (1.0,) * 3)
    images = IMAGES.repeat(1, 3, 1, 1)
    last = images.contiguous(memory_format=torch.channels_last)
    for settings in (EVERY, only("noise")):  # some images of a batch, and all
        after = Augmenter(settings, levels, 5)(last, 1, PLACES)
        assert after.is_contiguous(memory_format=torch.channels_last)
        assert torch.equal(after, Augmenter(settings, levels, 5)(images, 1, PLACES))
