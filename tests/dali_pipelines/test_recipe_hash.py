"""The hash of a recipe changes when, and only when, a pixel can change."""

import contextlib
import dataclasses
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from dali_pipelines.cpu.reduced_decode import decode_reduced
from dali_pipelines.errors import ConfigError
from dali_pipelines.recipe import Recipe, recipe_layers
from dali_pipelines.settings import Layer, build
from dali_pipelines.shading import image_shading
from dali_pipelines.stages import Encoded, Pixels
from dali_pipelines.steps import load_steps
from dali_pipelines.verdicts import RejectError
from tests.recipes.perturbed import BASES, CHANGES, SMALL, leaves, pictures

_DECODED: dict[tuple[bytes, Any], Pixels] = {}


@pytest.fixture(scope="session")
def encoded_pictures(encoded_of: Callable[..., Encoded]) -> dict[str, Encoded]:
    """JPEG 2000, so that it matters how much is decoded."""
    made = {}
    for name, (values, grayscale) in pictures().items():
        encoded = encoded_of(values, "j2k", 12)
        record = dataclasses.replace(encoded.record, grayscale=grayscale)
        made[name] = dataclasses.replace(encoded, record=record)
    return made


def _bytes_of(recipe: Recipe, encoded: Encoded) -> bytes:
    """What the network sees of a picture; b"" where it is rejected."""
    out = np.empty((1, recipe.channels, *recipe.size), np.float32)
    try:
        shading = image_shading(encoded.record, recipe)
    except RejectError:
        return b""
    pixels = _decoded(encoded, recipe)
    load_steps("cpu").prepare([pixels], [shading], recipe, out)
    cast = torch.from_numpy(out).to(getattr(torch, recipe.resize.dtype))
    return cast.float().numpy().tobytes()


def _decoded(encoded: Encoded, recipe: Recipe) -> Pixels:
    """The pixels, decoded once for each reduction: nothing else of a recipe bears on them."""
    key = encoded.data.tobytes(), recipe.decode.reduce
    if key not in _DECODED:
        _DECODED[key] = decode_reduced(encoded, recipe)
    return _DECODED[key]


def test_every_setting_is_perturbed() -> None:
    assert sorted(leaves()) == sorted(CHANGES)


def test_every_setting_counts_in_some_recipe() -> None:
    moved = {
        setting
        for base in BASES
        for setting in CHANGES
        for other in _perturbed(base, setting)
        if other.hash != _recipe(base).hash
    }
    assert moved == set(CHANGES)


@pytest.mark.parametrize("base", BASES)
def test_the_hash_changes_with_the_pixels(base: str, encoded_pictures: dict[str, Encoded]) -> None:
    recipe = _recipe(base)
    seen = {name: _bytes_of(recipe, item) for name, item in encoded_pictures.items()}

    def differs(other: Recipe) -> bool:
        return any(_bytes_of(other, encoded_pictures[name]) != seen[name] for name in seen)

    problems = []
    for setting in CHANGES:
        changed = _perturbed(base, setting)
        moved = [other for other in changed if other.hash != recipe.hash]
        if any(differs(other) for other in changed if other.hash == recipe.hash):
            problems.append(f"{setting} changes a pixel and not the hash")
        if moved and not any(differs(other) for other in moved):
            problems.append(f"{setting} changes the hash and no pixel")
    assert problems == []


@cache
def _layers(base: str) -> list[Layer]:
    return recipe_layers("default-1536", [*SMALL, *BASES[base]])


@cache
def _recipe(base: str) -> Recipe:
    return build(Recipe, _layers(base))[0]


@cache
def _perturbed(base: str, setting: str) -> list[Recipe]:
    """The recipe with one setting changed to each of its values that go with the others."""
    made = []
    for value in CHANGES[setting]:
        change = value
        for key in reversed(setting.split(".")):
            change = {key: change}
        with contextlib.suppress(ConfigError):
            made.append(build(Recipe, [*_layers(base), ("change", change)])[0])
    return made
