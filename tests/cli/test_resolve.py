"""Layers of training settings as the command line gives them."""

from pathlib import Path

import pytest

from cli.resolve import train_layers
from dali_pipelines.errors import ConfigError
from dali_pipelines.settings import build
from trainer.augment.presets import load_preset
from trainer.settings import TrainSettings


def test_a_preset_lies_over_the_file_and_under_what_is_set(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("epochs: 3\naugment: {vflip: 0.25}\n")
    layers = train_layers(file, ["augment.preset=light", "augment.hflip=0"])
    settings, origins = build(TrainSettings, layers)
    light = load_preset("light")
    assert (settings.epochs, settings.augment.hflip) == (3, 0)
    assert (settings.augment.vflip, settings.augment.gamma) == (light.vflip, light.gamma)
    assert origins["augment.hflip"] == "--set"
    assert origins["augment.gamma.p"] == "preset light"


def test_a_preset_may_be_named_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("augment: {preset: light, hflip: 0.25}\n")
    settings, _ = build(TrainSettings, train_layers(file, []))
    assert (settings.augment.hflip, settings.augment.vflip) == (0.25, load_preset("light").vflip)


def test_a_configuration_of_the_package_goes_by_its_name() -> None:
    file = Path(__file__).parents[2] / "configs" / "train" / "demo.yaml"
    by_name, origins = build(TrainSettings, train_layers(Path("demo"), []))
    assert by_name == build(TrainSettings, train_layers(file, []))[0] != TrainSettings()
    assert origins["epochs"] == "configuration demo"


def test_an_unknown_configuration_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"no training configuration 'demmo'.*'demo'"):
        train_layers(Path("demmo"), [])


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(ConfigError, match="no preset 'lite'"):
        train_layers(None, ["augment.preset=lite"])
