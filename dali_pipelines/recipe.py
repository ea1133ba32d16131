"""A named, hashed description of how pixels are prepared; configs/recipes/*.yaml.

The hash covers every setting that changes a pixel and the version of the code that applies it. It
travels into shards, checkpoints and predictions: a model is only shown the pixels it learned from.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Final, Literal

from dali_pipelines.errors import ConfigError
from dali_pipelines.grayscale import Voi
from dali_pipelines.settings import Layer, build, closest, parse_sets, read_yaml, to_dict

PIXELS_VERSION: Final = 1  # raise it when the same settings give other pixels


@dataclass(frozen=True, slots=True)
class DecodeSettings:
    """How much of a JPEG 2000 or HTJ2K image is decoded.

    `reduce` leaves out that many of its finest wavelet levels (or as many as it has): each halves
    height and width and saves three quarters of the work. "auto" leaves out the most that still
    gives the box at least the size it takes up in the output. The image is then a low-pass sample
    and no area mean, so it is not the same picture: 0, all of it, is the default. Other codestreams
    are always decoded whole.
    """

    reduce: Literal["auto", 0, 1, 2, 3] = 0


@dataclass(frozen=True, slots=True)
class StretchSettings:
    """Spread each image's own display values over the whole range, after its grayscale table.

    `use` "percentiles": the values at ranks ceil(low / 100 * n) and ceil(high / 100 * n) of all n
    px, at least the first, become black and white; 0 and 100 are minimum and maximum.
    """

    use: Literal["none", "percentiles"] = "none"
    low: float = 0.0
    high: float = 100.0

    def __post_init__(self) -> None:
        if not 0 <= self.low < self.high <= 100:
            raise ValueError(f"wanted 0 <= low < high <= 100, not {self.low} and {self.high}")

    def ranks(self, count: int) -> tuple[int, int]:
        """The ranks, from 1, of the two values among `count` that become black and white."""
        return (
            max(1, math.ceil(self.low / 100 * count)),
            max(1, math.ceil(self.high / 100 * count)),
        )


@dataclass(frozen=True, slots=True)
class RoiSettings:
    """How the breast is found. `threshold` is a share of the display range above background.

    `margin` widens the box on each side by that share of its size. A box below `min_area` (share
    of the frame) counts as not found, and the full frame is kept.
    """

    method: Literal["breast", "none"] = "breast"
    threshold: float = 0.04
    margin: float = 0.02
    min_area: float = 0.04
    mirror: Literal["chest-left", "none"] = "chest-left"

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1 or not 0 <= self.min_area < 1 or not 0 <= self.margin <= 1:
            raise ValueError(
                "roi.threshold must lie in (0, 1), roi.min_area in [0, 1), roi.margin in [0, 1]"
            )


@dataclass(frozen=True, slots=True)
class ResizeSettings:
    """The shape and range of what the network sees.

    `size` is (H, W) px. `fit` "pad" keeps the aspect and pads with black (left: at the right and,
    evenly, above and below; center: evenly on all sides); "stretch" fills the frame. Display
    values 0 ... 1 become (value - mean) / std, repeated over `channels`, computed in float32 and
    rounded to the nearest (even) of `dtype`.
    """

    size: tuple[int, int] = (1536, 768)
    fit: Literal["pad", "stretch"] = "pad"
    align: Literal["left", "center"] = "left"
    mean: float = 0.5
    std: float = 0.5
    channels: Literal[1, 3] = 1
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"

    def __post_init__(self) -> None:
        if min(self.size) < 1 or max(self.size) > 1 << 14:
            raise ValueError(f"resize.size must lie in 1 ... 16384, not {list(self.size)}")
        if self.std <= 0:
            raise ValueError(f"resize.std must be above 0, not {self.std}")


@dataclass(frozen=True, slots=True)
class Recipe:
    """One way to prepare images; two recipes with one `hash` give the same pixels."""

    name: str
    decode: DecodeSettings = field(default_factory=DecodeSettings)
    voi: Voi = field(default_factory=Voi)
    stretch: StretchSettings = field(default_factory=StretchSettings)
    roi: RoiSettings = field(default_factory=RoiSettings)
    resize: ResizeSettings = field(default_factory=ResizeSettings)

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
        """12 hexadecimal characters over every setting but the name."""
        settings = {key: value for key, value in to_dict(self).items() if key != "name"}
        text = json.dumps([PIXELS_VERSION, settings], sort_keys=True, separators=(",", ":"))
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


def load_recipe(name_or_path: str, sets: Sequence[str] = ()) -> Recipe:
    """The recipe of that name, or in that YAML file, changed by `sets` such as "roi.margin=0.1".

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
