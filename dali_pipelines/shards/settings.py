"""What prepared images are kept as: the layout of a shard, the type of its numbers, its length."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

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
    image. `uint8` and `uint16` hold display values over their full range, in one channel: nothing
    is done per image or channel yet, and what is left to do is exact. Floats are what the network
    sees, in all channels. `batch` images are prepared together.
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
            raise ValueError(f"--format {self.format} holds --dtype {known}, not {self.dtype}")

    @property
    def holds_display(self) -> bool:
        """Whether integers, and so display values, are held."""
        return self.dtype in INTEGER_MAX


def kept_recipe(recipe: Recipe, settings: ShardSettings) -> Recipe:
    """The recipe whose images a shard holds: `recipe`, rounded as the shard's type rounds.

    So a network that learned from shards and one that learned from DICOM with this recipe saw the
    same numbers, and one with another recipe is told apart by its hash.
    """
    resize = recipe.resize
    if settings.dtype == "uint8":
        resize = replace(resize, bits=8)
    elif settings.dtype == "uint16":
        resize = replace(resize, bits=resize.bits or 16)
    elif settings.dtype == "float16":
        resize = replace(resize, dtype="float16")
    return replace(recipe, resize=resize)


def stored_recipe(recipe: Recipe, settings: ShardSettings) -> Recipe:
    """What prepares the images of a kept `recipe` for the shard's type, in float32.

    For integers without what comes after the rounding, so that display values 0 ... 1 come out, in
    one channel.
    """
    resize = replace(recipe.resize, dtype="float32")
    if settings.holds_display:
        resize = replace(
            resize, per_image="none", per_image_bits=None, mean=0.0, std=1.0, channels=1
        )
    return replace(recipe, resize=resize)


def stored_shape(recipe: Recipe, settings: ShardSettings) -> tuple[int, int, int]:
    """(C, H, W) of one image as it is kept."""
    return (1 if settings.holds_display else recipe.channels, *recipe.size)
