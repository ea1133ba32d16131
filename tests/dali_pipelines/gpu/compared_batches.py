"""What a loader gave, kept, and a look whether another gave the same."""

import numpy as np

from dali_pipelines.loader import Loader


def collect(loader, blocks):
    """(images, valid, indices, image_ids, rois) of every batch, kept."""
    return [
        (
            b.images.float().cpu().clone().numpy(),
            b.valid.tolist(),
            b.indices.tolist(),
            b.image_ids,
            b.rois,
        )
        for b in loader.run(blocks)
    ]


def assert_same(found, wanted):
    assert len(found) == len(wanted)
    for (images, *rest), (wanted_images, *wanted_rest) in zip(found, wanted, strict=True):
        assert np.array_equal(images, wanted_images)
        assert rest == wanted_rest


def on_cpu(records, blocks, recipe):
    with Loader(records, recipe, device="cpu") as loader:
        return collect(loader, blocks)
