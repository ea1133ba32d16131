"""Named augmentations: configs/augment/*.yaml, over which a user's own values are laid."""

from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, Final

from dali_pipelines.errors import ConfigError
from dali_pipelines.settings import Layer, build, closest, read_yaml, to_dict
from trainer.augment.settings import AugmentSettings

NONE: Final = "none"  # no change at all; no file is needed to say so


def preset_names() -> list[str]:
    """The names of the presets that come with the package, and "none"."""
    files = [item.name for item in (resources.files("configs") / "augment").iterdir()]
    return [NONE, *sorted(name[: -len(".yaml")] for name in files if name.endswith(".yaml"))]


def preset_about(name: str) -> str:
    """Whose the preset of that name is, in a few words: the second line of its file."""
    if name == NONE:
        return "images as they are"
    file = resources.files("configs") / "augment" / f"{name}.yaml"
    return file.read_text(encoding="utf-8").splitlines()[1].removeprefix("# About: ")


def load_preset(name: str) -> AugmentSettings:
    """The augmentation of that name. Raises ConfigError for an unknown one."""
    if name not in preset_names():
        raise ConfigError(f"augment.preset: no preset {name!r}.{closest(name, preset_names())}")
    if name == NONE:
        return AugmentSettings()
    with resources.as_file(resources.files("configs") / "augment" / f"{name}.yaml") as file:
        return build(AugmentSettings, [(f"preset {name}", {**read_yaml(file), "preset": name})])[0]


def preset_layers(layers: Sequence[Layer]) -> list[Layer]:
    """The layers of a training run's settings, with all values of the preset that they name.

    Those come right below the layer that names it: values beside the name and in later layers
    count more, values in earlier ones less. The last name counts. Raises ConfigError for an
    unknown one.
    """
    named = [place for place, (_, values) in enumerate(layers) if _preset_of(values) is not None]
    if not named:
        return list(layers)
    place = named[-1]
    name = str(_preset_of(layers[place][1]))
    preset: Layer = (f"preset {name}", {"augment": to_dict(load_preset(name))})
    return [*layers[:place], preset, *layers[place:]]


def _preset_of(values: Mapping[str, Any]) -> Any:
    augment = values.get("augment")
    return augment.get("preset") if isinstance(augment, Mapping) else None
