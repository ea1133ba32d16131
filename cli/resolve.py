"""The layers of settings that `--config` and `--set` make, for training and for the recipe."""

import dataclasses
from collections.abc import Sequence
from importlib import resources
from pathlib import Path

from dali_pipelines.errors import ConfigError
from dali_pipelines.recipe import Recipe
from dali_pipelines.settings import Layer, closest, parse_sets, read_yaml
from trainer.augment.presets import preset_layers


def split_sets(sets: Sequence[str]) -> tuple[list[str], list[str]]:
    """The `--set` texts that are about training, and those about the recipe (voi, roi, resize)."""
    of_recipe = {field.name for field in dataclasses.fields(Recipe)} - {"name"}
    about = [pair.split("=")[0].split(".")[0].strip() in of_recipe for pair in sets]
    return (
        [pair for pair, recipe in zip(sets, about, strict=True) if not recipe],
        [pair for pair, recipe in zip(sets, about, strict=True) if recipe],
    )


def train_layers(
    config: Path | None, sets: Sequence[str], short: Sequence[Layer] = ()
) -> list[Layer]:
    """What training settings are built from: the file, `--set` about training, short options.

    `config` is a YAML file, or the name of one that comes with the package. The values of a preset
    of augmentation come right below the layer that names it. Raises ConfigError where there is no
    such file, name or preset.
    """
    layers: list[Layer] = [_read_config(config)] if config else []
    if sets:
        layers.append(("--set", parse_sets(sets)))
    return preset_layers([*layers, *short])


def config_names() -> list[str]:
    """The names of the training configurations that come with the package."""
    folder = resources.files("configs") / "train"
    return sorted(
        item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml")
    )


def _read_config(config: Path) -> Layer:
    name = str(config)
    if config.suffix in {".yaml", ".yml"}:
        return name, read_yaml(config)
    if name not in config_names():
        hint = closest(name, config_names())
        raise ConfigError(f"no training configuration {name!r}.{hint} Or give a .yaml file.")
    with resources.as_file(resources.files("configs") / "train" / f"{name}.yaml") as file:
        return f"configuration {name}", read_yaml(file)
