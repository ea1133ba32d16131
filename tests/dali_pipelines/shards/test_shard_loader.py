"""What shards give is what DICOM gives: the same tensors, order, boxes and rejects."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from dali_pipelines.dicom.image import ReadOptions, read_image
from dali_pipelines.errors import ConfigError
from dali_pipelines.loader import Loader
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.phantom.exams import write_phantoms
from dali_pipelines.phantom.patients import PhantomSettings
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.plan import shuffled_blocks
from dali_pipelines.recipe import Recipe, load_recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.shards.preprocess import preprocess
from dali_pipelines.shards.settings import DType, Format, ShardSettings, kept_recipe
from dali_pipelines.shards.shard_loader import ShardLoader
from dali_pipelines.shards.shard_set import ShardSet
from dali_pipelines.stages import Batch
from dali_pipelines.storage.archive import Source

SMALL = LoaderSettings(threads=1, readers=1, isolation="thread")
prepare = partial(preprocess, open_loader=partial(Loader, settings=SMALL, device="cpu"))
SIZE = (64, 40)
THREE = ResizeSettings(SIZE, channels=3, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[ImageRecord]:
    """Eight phantoms."""
    small = PhantomSettings(patients=2, height=160, width=128, workers=1)
    exams = write_phantoms(tmp_path_factory.mktemp("exams") / "phantoms", small)
    paths = sorted(exams.images.rglob("*.dcm"))
    return [read_image(Source(str(path)), b"k" * 32, ReadOptions()) for path in paths]


def recipe_of(name: str) -> Recipe:
    """A recipe of that name, or of one way to normalize, at a small size."""
    if name == "three":
        return Recipe(name, resize=THREE)
    if name == "standardize":
        return Recipe(name, resize=ResizeSettings(SIZE, per_image="standardize"))
    recipe = load_recipe(name)
    return replace(recipe, resize=replace(recipe.resize, size=SIZE))


def batches(source: Loader | ShardLoader, count: int) -> list[Batch]:
    """Two epochs in another order each."""
    blocks = [shuffled_blocks(None, count, 3, seed=5, epoch=epoch) for epoch in range(2)]
    return list(source.run(np.concatenate(blocks)))


def require_equal(given: list[Batch], wanted: list[Batch]) -> None:
    assert len(given) == len(wanted)
    for one, other in zip(given, wanted, strict=True):
        assert one.images.dtype == other.images.dtype
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.valid, other.valid)
        assert one.image_ids == other.image_ids
        assert one.rois == other.rois
        assert np.array_equal(one.indices, other.indices)


@pytest.mark.parametrize("name", ["demo", "spr-1st", "mammo-clip", "three", "standardize"])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float16", "float32"])
def test_tensors_are_equal_to_the_bit(
    name: str, dtype: DType, images: list[ImageRecord], tmp_path: Path
) -> None:
    settings = ShardSettings(dtype=dtype, images=3)
    prepare(images, recipe_of(name), tmp_path, settings)
    shards = ShardSet.open(tmp_path)
    assert shards.recipe == kept_recipe(recipe_of(name), settings)
    with (
        ShardLoader(images, shards, SMALL) as stored,
        Loader(images, shards.recipe, SMALL, "cpu") as streamed,
    ):
        wanted = batches(streamed, len(images))
        require_equal(batches(stored, len(images)), wanted)
    assert sum(int(batch.valid.sum()) for batch in wanted) == 2 * len(images)


@pytest.mark.parametrize("format_", ["npy", "png16", "tiff", "webdataset"])
def test_every_format_is_read_back(
    format_: Format, images: list[ImageRecord], tmp_path: Path
) -> None:
    prepare(images, recipe_of("demo"), tmp_path, ShardSettings(format_))
    shards = ShardSet.open(tmp_path)
    with (
        ShardLoader(images, shards, SMALL) as stored,
        Loader(images, shards.recipe, SMALL, "cpu") as streamed,
    ):
        require_equal(batches(stored, len(images)), batches(streamed, len(images)))


def test_a_part_of_the_images_may_be_asked_for_in_any_order(
    images: list[ImageRecord], tmp_path: Path
) -> None:
    prepare(images, recipe_of("demo"), tmp_path, ShardSettings(images=3))
    part = [images[k] for k in (6, 1, 4)]
    shards = ShardSet.open(tmp_path)
    with (
        ShardLoader(part, shards, SMALL) as stored,
        Loader(part, shards.recipe, SMALL, "cpu") as streamed,
    ):
        require_equal(batches(stored, 3), batches(streamed, 3))


def test_what_could_not_be_prepared_is_a_reject_and_an_empty_slot(
    images: list[ImageRecord], tmp_path: Path
) -> None:
    gone = replace(images[2].location, path=str(tmp_path / "gone.dcm"))
    some = [*images[:2], replace(images[2], location=gone), images[3]]
    prepare(some, recipe_of("demo"), tmp_path / "out", ShardSettings())
    shards = ShardSet.open(tmp_path / "out")
    with (
        ShardLoader(some, shards, SMALL) as stored,
        Loader(some, shards.recipe, SMALL, "cpu") as streamed,
    ):
        require_equal(batches(stored, 4), batches(streamed, 4))
        assert stored.rejects == streamed.rejects
        (reject,) = stored.rejects
    assert (reject.image_id, reject.reason.value) == (images[2].image_id, "E_IO")


def test_images_that_the_shards_lack_or_hold_from_other_bytes_are_refused(
    images: list[ImageRecord], tmp_path: Path
) -> None:
    prepare(images[:6], recipe_of("demo"), tmp_path, ShardSettings())
    shards = ShardSet.open(tmp_path)
    with pytest.raises(ConfigError, match="lack 2 of 8 images of the manifest"):
        ShardLoader(images, shards, SMALL)
    other = replace(images[0], sha256="0" * 64)
    with pytest.raises(ConfigError, match="or hold them from other bytes; run `mammo preprocess`"):
        ShardLoader([other, *images[1:6]], shards, SMALL)


def test_another_recipe_is_refused(images: list[ImageRecord], tmp_path: Path) -> None:
    prepare(images, recipe_of("demo"), tmp_path, ShardSettings())
    shards = ShardSet.open(tmp_path)
    shards.require_recipe(kept_recipe(recipe_of("demo"), shards.settings))
    with pytest.raises(ConfigError, match="leave out --shards, or prepare the images by"):
        shards.require_recipe(recipe_of("three"))
    demo = recipe_of("demo")
    rounded = replace(demo, resize=replace(demo.resize, bits=8))
    with pytest.raises(ConfigError, match=r"in another way: resize\.bits=16, not 8; leave out"):
        shards.require_recipe(rounded)
