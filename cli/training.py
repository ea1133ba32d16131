"""What a training run is told: its settings and recipe, from file, options and first weights."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from dali_pipelines.recipe import Recipe
    from dali_pipelines.settings import Layer
    from trainer.settings import TrainSettings
    from trainer.weights.sets import WeightSet

# option -> the setting it is short for; --augment stands for --set augment.preset
_SHORT_FOR: Final = {
    "fold": "fold",
    "epochs": "epochs",
    "seed": "seed",
    "model": "model.name",
    "pretrained": "model.pretrained",
    "unit": "model.unit",
    "batch": "data.batch",
    "accumulate": "optim.accumulate",
    "lr": "optim.lr",
}

log = logging.getLogger("mammo.train")


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line says of settings and recipe.

    `recipe` is a name or file, `is_recipe_asked` False where that is the default; `short` are the
    options that stand for settings, None where not given.
    """

    config: Path | None
    sets: tuple[str, ...]
    recipe: str
    is_recipe_asked: bool
    short: Mapping[str, Any]


def resolve_training(wishes: Wishes) -> "tuple[TrainSettings, Recipe]":
    """The settings and the recipe, the later of file, `--set` and options the stronger.

    Weights of a published set bring their network and recipe, below all that the user says.
    """
    from cli.resolve import split_sets
    from dali_pipelines.recipe import load_recipe
    from dali_pipelines.settings import build
    from trainer.settings import TrainSettings

    of_train, of_recipe = split_sets(wishes.sets)
    layers = _layers(wishes, of_train)
    settings = build(TrainSettings, layers)[0]
    known = _known_weights(settings)
    if known is None:
        return settings, load_recipe(wishes.recipe, of_recipe)
    settings = build(TrainSettings, [(f"weights of {known.name}", known.train_layer()), *layers])[0]
    name = known.recipe if known.recipe and not wishes.is_recipe_asked else wishes.recipe
    recipe = load_recipe(name, of_recipe)
    _warn_of_departures(known, recipe)
    return settings, recipe


def _layers(wishes: Wishes, sets: list[str]) -> "list[Layer]":
    from cli.resolve import train_layers

    if (preset := wishes.short.get("augment")) is not None:
        sets = [*sets, f"augment.preset={preset}"]  # whose values lie below others of --set
    short = [
        (f"--{option}", _nested(_SHORT_FOR[option], value))
        for option, value in wishes.short.items()
        if option in _SHORT_FOR and value is not None
    ]
    return train_layers(wishes.config, sets, short)


def _known_weights(settings: "TrainSettings") -> "WeightSet | None":
    if not settings.model.pretrained:
        return None
    from trainer.weights.sets import recognize

    return recognize(Path(settings.model.pretrained))


def _warn_of_departures(known: "WeightSet", recipe: "Recipe") -> None:
    resize = recipe.resize
    found = known.departures(recipe.size, resize.means, resize.stds)
    if found:
        log.warning(
            "recipe %s is not what %s was trained on: %s", recipe.name, known.name, ", ".join(found)
        )


def _nested(dotted: str, value: Any) -> dict[str, Any]:
    """{"a": {"b": value}} for "a.b"."""
    name, _, rest = dotted.partition(".")
    return {name: _nested(rest, value) if rest else value}
