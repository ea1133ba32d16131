"""What a loader gave, kept, and a look whether another gave the same."""

import numpy as np

from dali_pipelines.loader import Loader
from dali_pipelines.multi_loader import MultiLoader
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.recipe import Recipe

RECIPE = Recipe("test", resize=ResizeSettings(size=(24, 16)))


def collect(loader, blocks):
    """(images, valid, indices, image_ids, rois) of every batch, kept."""
    return [kept(batch) for batch in loader.run(blocks)]


def collect_all(loader, blocks):
    """For each recipe of a MultiLoader what `collect` gives for a loader of its own."""
    found = [tuple(map(kept, batches)) for batches in loader.run(blocks)]
    return list(zip(*found, strict=True))


def kept(batch):
    return (
        batch.images.float().cpu().clone().numpy(),
        batch.valid.tolist(),
        batch.indices.tolist(),
        batch.image_ids,
        batch.rois,
    )


def assert_same(found, wanted):
    assert len(found) == len(wanted)
    for (images, *rest), (wanted_images, *wanted_rest) in zip(found, wanted, strict=True):
        assert np.array_equal(images, wanted_images)
        assert rest == wanted_rest


def on_cpu(records, blocks, recipe):
    with Loader(records, recipe, device="cpu") as loader:
        return collect(loader, blocks)


def all_on_cpu(records, blocks, recipes):
    with MultiLoader(records, recipes, device="cpu") as loader:
        return collect_all(loader, blocks)
