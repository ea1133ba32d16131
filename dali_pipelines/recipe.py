"""A named, hashed description of how pixels are prepared; configs/recipes/*.yaml.

The hash covers every setting that changes a pixel and the version of the code that applies it. It
travels into shards, checkpoints and predictions: a model is only shown the pixels it learned from.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Final

from dali_pipelines.errors import ConfigError
from dali_pipelines.pixel_settings import DecodeSettings, ResizeSettings, StretchSettings
from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.settings import Layer, build, closest, parse_sets, read_yaml, to_dict
from dali_pipelines.voi_settings import Voi

PIXELS_VERSION: Final = 2  # raise it when the same settings give other pixels


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to prepare images; two recipes with one `hash` give the same pixels.

    `review` is the digest of a table of boxes by hand (`review.Review`) that were cut out instead
    of what the method finds, "" where there was none.
    """

    name: str
    decode: DecodeSettings = field(default_factory=DecodeSettings)
    voi: Voi = field(default_factory=Voi)
    stretch: StretchSettings = field(default_factory=StretchSettings)
    roi: RoiSettings = field(default_factory=RoiSettings)
    resize: ResizeSettings = field(default_factory=ResizeSettings)
    review: str = ""

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) px of a prepared image."""
        return self.resize.size

    @property
    def channels(self) -> int:
        """Channels of a prepared image, 1 or 3."""
        return self.resize.channels

    @property
    def hash(self) -> str:
        """12 hexadecimal characters over every value that can change a pixel."""
        used: dict[str, Any] = {
            "decode": self.decode.used(),
            "voi": self.voi.used(),
            "stretch": self.stretch.used(fallback=self.voi.used().get("fallback") == "min-max"),
            "roi": self.roi.used(),
            "resize": self.resize.used(),
        }
        if self.review:
            used["review"] = self.review
        text = json.dumps([PIXELS_VERSION, used], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def to_dict(self) -> dict[str, Any]:
        """Plain nested values, for YAML, JSON and checkpoints."""
        return to_dict(self)


def recipe_names() -> list[str]:
    """The names of the recipes that come with the package."""
    folder = resources.files("configs") / "recipes"
    return sorted(
        item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml")
    )


def recipe_about(name: str) -> str:
    """Whose the recipe of that name is, in a few words: the second line of its file."""
    file = resources.files("configs") / "recipes" / f"{name}.yaml"
    line = file.read_text(encoding="utf-8").splitlines()[1]
    return line.removeprefix("# About: ")


def load_recipe(name_or_path: str, sets: Sequence[str] = ()) -> Recipe:
    """The recipe of that name, or in that YAML file, changed by `sets` like "roi.method=none".

    Raises ConfigError for an unknown name, key or value.
    """
    return build(Recipe, recipe_layers(name_or_path, sets))[0]


def recipe_layers(name_or_path: str, sets: Sequence[str] = ()) -> list[Layer]:
    """What `load_recipe` builds from: the file, then the `--set` values."""
    path = Path(name_or_path)
    if path.suffix in {".yaml", ".yml"}:
        content, name = read_yaml(path), path.stem
    elif name_or_path in recipe_names():
        name = name_or_path
        with resources.as_file(resources.files("configs") / "recipes" / f"{name}.yaml") as file:
            content = read_yaml(file)
    else:
        hint = closest(name_or_path, recipe_names())
        raise ConfigError(f"no recipe {name_or_path!r}.{hint} Or give the path of a .yaml file.")
    layers: list[Layer] = [(f"recipe {name}", {"name": name, **content})]
    if sets:
        layers.append(("--set", parse_sets(sets)))
    return layers


def recipe_from_dict(values: Mapping[str, Any]) -> Recipe:
    """The recipe that `to_dict` described; ConfigError if it does not describe one."""
    return build(Recipe, [("stored recipe", values)])[0]
