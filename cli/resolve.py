"""The layers of settings that `--config` and `--set` make, for training and for the recipe."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from dali_pipelines.recipe import Recipe
from dali_pipelines.settings import Layer, parse_sets, read_yaml
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

    The values of a preset of augmentation come right below the layer that names it. Raises
    ConfigError where `augment.preset` names none.
    """
    layers: list[Layer] = [(str(config), read_yaml(config))] if config else []
    if sets:
        layers.append(("--set", parse_sets(sets)))
    return preset_layers([*layers, *short])
