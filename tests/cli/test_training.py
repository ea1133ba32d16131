"""What a training run is told, where first weights have their say below the user's own."""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from cli.options import DEFAULT_RECIPE
from cli.training import Wishes, resolve_training
from dali_pipelines.errors import ConfigError
from dali_pipelines.recipe import Recipe
from trainer.augment.presets import load_preset
from trainer.settings import TrainSettings

MIRAI = {  # what a file of the set is known by
    "downsampler.conv1.weight": torch.zeros(64, 3, 7, 7),
    "layer4_1.conv2.weight": torch.zeros(512, 512, 3, 3),
}


@pytest.fixture
def mirai(tmp_path: Path) -> str:
    """A file whose tensors have the names and shapes of Mirai's."""
    torch.save(MIRAI, tmp_path / "weights.p")
    return str(tmp_path / "weights.p")


def _told(
    *sets: str, config: Path | None = None, recipe: str = "", **short: Any
) -> tuple[TrainSettings, Recipe]:
    return resolve_training(Wishes(config, sets, recipe or DEFAULT_RECIPE, bool(recipe), short))


def test_without_weights_the_settings_are_what_is_said() -> None:
    settings, recipe = _told("resize.size=[64, 32]", "seed=7", fold=None, batch=6)
    assert (settings.seed, settings.data.batch, settings.model.name) == (7, 6, "convnext_small")
    assert (recipe.name, recipe.size) == (DEFAULT_RECIPE, (64, 32))


def test_known_weights_bring_their_network_and_recipe(
    mirai: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="mammo"):
        settings, recipe = _told(pretrained=mirai)
    assert (settings.model.name, settings.model.pool) == ("resnet18", "max")
    assert recipe.name == "mirai"
    assert not caplog.records


def test_what_the_user_says_is_above_what_weights_bring(mirai: str, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("model: {pool: gem}\n")
    settings, recipe = _told(config=config, recipe="demo", pretrained=mirai, model="resnet34")
    assert (settings.model.name, settings.model.pool) == ("resnet34", "gem")
    assert recipe.name == "demo"


def test_another_recipe_than_the_weights_learned_from_is_said(
    mirai: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="mammo"):
        _told("resize.size=[64, 32]", pretrained=mirai)
    assert "recipe mirai is not what mirai was trained on: size 64 x 32 for 2048 x 1664" in (
        caplog.text
    )


def test_weights_may_be_named_by_the_file_too(mirai: str, tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text(f"model: {{pretrained: {mirai}}}\n")
    assert _told(config=config)[1].name == "mirai"


def test_weights_of_no_set_bring_nothing(tmp_path: Path) -> None:
    torch.save({"conv.weight": torch.zeros(3)}, tmp_path / "own.pt")
    settings, recipe = _told(pretrained=str(tmp_path / "own.pt"))
    assert settings.model.name == "convnext_small"
    assert recipe.name == DEFAULT_RECIPE


def test_a_preset_lies_below_the_values_beside_it(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("augment: {preset: strong, hflip: 1.0, noise: {p: 1.0}}\n")
    by_option, _ = _told("augment.hflip=0", augment="light", config=config)
    by_set, _ = _told("augment.hflip=0", "augment.preset=light", config=config)
    assert by_option.augment == by_set.augment == replace(load_preset("light"), hflip=0.0)
    assert _told(config=config)[0].augment.hflip == 1.0


def test_the_option_is_above_the_setting_of_its_name() -> None:
    settings, _ = _told("augment.preset=strong", "seed=3", augment="light", seed=4)
    assert (settings.augment.preset, settings.seed) == ("light", 4)


def test_mistakes_are_told_by_where_they_were_made() -> None:
    with pytest.raises(ConfigError, match="lr must be above 0"):
        _told(lr=-1.0)
    with pytest.raises(ConfigError, match="no setting 'modl'"):
        _told("modl.name=resnet18")
