"""What prepared images are kept as: the layout of a shard, the type of its numbers, its length."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from dali_pipelines.errors import ConfigError
from dali_pipelines.recipe import Recipe

Format = Literal["shards", "npy", "png", "png16", "tiff", "webdataset"]
DType = Literal["uint8", "uint16", "float16", "float32"]

INTEGER_MAX: Final[Mapping[str, int]] = {"uint8": 255, "uint16": 65535}
_ANY: Final[tuple[DType, ...]] = ("uint8", "uint16", "float16", "float32")
# The types that each format can hold; the picture formats have one, which is their point.
DTYPES: Final[Mapping[Format, tuple[DType, ...]]] = {
    "shards": _ANY,
    "npy": _ANY,
    "png": ("uint8",),
    "png16": ("uint16",),
    "tiff": ("uint16",),
    "webdataset": _ANY,
}


@dataclass(frozen=True, slots=True)
class ShardSettings:
    """How `images` prepared images at a time become files.

    `format` "shards" is one safetensors file, "webdataset" one tar file, the others are a file an
    image. `uint8` and `uint16` hold display values over their full range, in one channel, since
    the network's three are equal before they are normalized; floats are normalized, in all
    channels. `batch` images are prepared together.
    """

    format: Format = "shards"
    dtype: DType = "uint16"
    images: int = 256
    batch: int = 8

    def __post_init__(self) -> None:
        if self.images < 1 or self.batch < 1:
            raise ValueError("a shard and a batch need at least one image")
        if self.dtype not in DTYPES[self.format]:
            known = " or ".join(DTYPES[self.format])
            raise ValueError(f"format {self.format} holds {known}, not {self.dtype}")

    @property
    def holds_display(self) -> bool:
        """Whether integers, and so display values, are held."""
        return self.dtype in INTEGER_MAX


def stored_recipe(recipe: Recipe, settings: ShardSettings) -> Recipe:
    """What prepares the images of `recipe` for these settings: in float32, not yet rounded.

    For integers without the last step, so that display values 0 ... 1 come out, in one channel.
    Raises ConfigError where the recipe's images have no display values.
    """
    resize = replace(recipe.resize, dtype="float32")
    if not settings.holds_display:
        return replace(recipe, resize=resize)
    if resize.per_image == "standardize":
        raise ConfigError(
            f"recipe {recipe.name!r} standardizes each image, so its values have no fixed range "
            f"that {settings.dtype} could hold; use --format shards, npy or webdataset, with "
            "--dtype float16 or float32"
        )
    return replace(recipe, resize=replace(resize, mean=0.0, std=1.0, channels=1))


def stored_shape(recipe: Recipe, settings: ShardSettings) -> tuple[int, int, int]:
    """(C, H, W) of one image as it is kept."""
    return (1 if settings.holds_display else recipe.channels, *recipe.size)
