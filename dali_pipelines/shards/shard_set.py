"""Finished shards as one sequence of prepared images, for whoever trains or predicts on them."""

from pathlib import Path
from typing import Any, Final, Self

import pandas as pd
from numpy.typing import NDArray

from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.recipe import Recipe, recipe_from_dict
from dali_pipelines.settings import build
from dali_pipelines.shards.commit import INDEX
from dali_pipelines.shards.differences import rounding_alone
from dali_pipelines.shards.rows import UNREADABLE, Rows, read_table
from dali_pipelines.shards.settings import DType, ShardSettings, stored_shape
from dali_pipelines.shards.stored_images import StoredImages, checksum
from dali_pipelines.shards.workplace import FORMAT_VERSION, read_spec

_RUN_AGAIN: Final = "run the same `mammo preprocess` again"


class ShardSet:
    """The images of a folder of shards, in the order of the manifest, without those that failed.

    `rows` has one row an image, as `shards.rows.SCHEMA` and the name of its shard; `image_ids` are
    in the same order. `failed` has the row of each image that could not be prepared, by image_id.
    `recipe` is what prepared them. Nothing of an image is read until it is asked for. May be read
    by several threads, and by processes forked from this one.
    """

    def __init__(
        self, out: Path, index: pd.DataFrame, recipe: Recipe, settings: ShardSettings
    ) -> None:
        made = index["row"] >= 0
        self.rows = rows = index[made].reset_index(drop=True)
        self.failed: dict[str, dict[str, Any]] = {
            row["image_id"]: {str(name): value for name, value in row.items()}
            for row in index[~made].to_dict("records")
        }
        self.recipe = recipe
        self.settings = settings
        self.image_ids: tuple[str, ...] = tuple(rows["image_id"])
        self._out = out
        self._shards: list[str] = rows["shard"].tolist()
        self._places: list[int] = rows["row"].tolist()
        self._crc32s: list[int] = rows["crc32"].tolist()
        self._members = rows.groupby("shard").indices
        self._opened: dict[str, StoredImages] = {}

    @classmethod
    def open(cls, out: Path) -> Self:
        """The shards of the folder that `mammo preprocess` filled.

        Raises ConfigError where it holds none or they are not complete, or of another version;
        DatasetError where the index is damaged.
        """
        spec = read_spec(out)
        if spec is None:
            raise ConfigError(f"no shards in {str(out)!r}; `mammo preprocess` makes them")
        if spec.get("format_version") != FORMAT_VERSION:
            raise ConfigError(
                f"{str(out)!r} holds shards of version {spec.get('format_version')}, wanted "
                f"{FORMAT_VERSION}; prepare them again into an empty folder"
            )
        recipe = recipe_from_dict(spec["recipe"])
        if recipe.hash != spec["recipe_hash"]:
            raise DatasetError(
                f"the shards in {str(out)!r} were prepared by recipe hash {spec['recipe_hash']}, "
                f"and their recipe has {recipe.hash} in this version; prepare them again"
            )
        settings, _ = build(ShardSettings, [("spec.json", spec["shards"])])
        return cls(out, _read_index(out), recipe, settings)

    def __len__(self) -> int:
        return len(self.image_ids)

    @property
    def dtype(self) -> DType:
        """The type of the numbers of `read`."""
        return self.settings.dtype

    @property
    def shape(self) -> tuple[int, int, int]:
        """(C, H, W) of an image of `read`."""
        return stored_shape(self.recipe, self.settings)

    def require_recipe(self, wanted: Recipe) -> None:
        """Raise ConfigError unless images of `wanted` are what the shards hold."""
        if rounded := rounding_alone(self.recipe, wanted):
            raise ConfigError(
                f"the shards in {str(self._out)!r} hold images of recipe {self.recipe.name} "
                f"rounded in another way: {rounded}; leave out --shards, or prepare the images "
                "again by --set resize.bits and a --dtype that holds them"
            )
        if wanted.hash != self.recipe.hash:
            raise ConfigError(
                f"the shards in {str(self._out)!r} hold images of recipe {self.recipe.name} "
                f"{self.recipe.hash}, not of {wanted.name} {wanted.hash}; leave out --shards, or "
                "prepare the images by that recipe"
            )

    def read(self, index: int, *, verify: bool = True) -> NDArray[Any]:
        """Image number `index`, (C, H, W) of `dtype`, read-only.

        Integers are display values over their full range in one channel, for the recipe to
        normalize; floats are what the network sees. DatasetError where a shard is gone or damaged;
        only `verify` notices other numbers, such as those of a shard that was made again since.
        """
        name = self._shards[index]
        try:
            images = self._opened.get(name) or self._open(name)
            image = images[self._places[index]]
        except UNREADABLE as error:
            raise DatasetError(
                f"image {self.image_ids[index]} of {name} cannot be read "
                f"({type(error).__name__}); {_RUN_AGAIN}"
            ) from error
        if verify and checksum(image) != self._crc32s[index]:
            raise DatasetError(
                f"image {self.image_ids[index]} of {name} is not what the index tells of: its "
                "shard was made again since, or is damaged; run the same `mammo preprocess` again "
                "with --verify all, then this"
            )
        return image

    def _open(self, name: str) -> StoredImages:
        rows = Rows(self.rows.iloc[self._members[name]].to_dict("list"))  # type: ignore[arg-type]
        images = StoredImages(self._out / name, rows, self.settings, self.shape)
        return self._opened.setdefault(name, images)


def _read_index(out: Path) -> pd.DataFrame:
    """The rows of all images, also of those that there are not."""
    file = out / INDEX
    if not file.is_file():
        raise ConfigError(f"the shards in {str(out)!r} are not complete; {_RUN_AGAIN}")
    try:
        rows: pd.DataFrame = read_table(file).to_pandas(use_threads=False)
    except UNREADABLE as error:
        raise DatasetError(f"{str(file)!r} is damaged; remove it, and {_RUN_AGAIN}") from error
    return rows
