"""Records in, a picture of each out: prepared as any run does it, and drawn beside the original."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.inspection.content import look_at
from dali_pipelines.inspection.decisions import describe
from dali_pipelines.inspection.side_by_side import Pair, draw_pair
from dali_pipelines.isolation.pool import DecodePool
from dali_pipelines.loader import Loader
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.reader import read_encoded
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.rejects.rejections import Rejections
from dali_pipelines.shading import image_shading
from dali_pipelines.stages import Batch, Pixels
from dali_pipelines.steps import load_steps
from dali_pipelines.verdicts import Reject, RejectError, guarded


def preview_images(
    records: Sequence[ImageRecord], recipe: Recipe
) -> Iterator[tuple[ImageRecord, bytes | Reject]]:
    """Each record with its PNG (`side_by_side`), or with the reason why there is none.

    The right half is what a `Loader` on the CPU gives, the left one all of the image through the
    header's first window or VOI LUT, whatever the recipe makes of it.
    """
    rejections = Rejections(records)
    settings = LoaderSettings(threads=1, readers=1, prefetch=1)
    with (
        Loader(records, recipe, settings, device="cpu") as loader,
        closing(DecodePool(1)) as children,
    ):
        for k, record in enumerate(records):
            before = Counter(loader.counts)
            (batch,) = loader.run(np.array([[k]]))
            if not batch.valid[0]:
                yield record, loader.rejects_by_id[record.image_id]
                continue
            (decoder,) = Counter(loader.counts) - before
            png = guarded(partial(_draw, record, recipe, batch, decoder, children))
            if isinstance(png, RejectError):
                rejections.add(k, "preview", png)
            yield record, rejections.by_id[record.image_id] if isinstance(png, RejectError) else png


def _draw(
    record: ImageRecord, recipe: Recipe, batch: Batch, decoder: str, children: DecodePool
) -> bytes:
    (box,) = batch.rois
    assert box is not None
    whole = Recipe("preview")
    display = display_of(record, children.decode(read_encoded(record), whole))
    content = look_at(display, record.tags)
    decisions = describe(record, recipe, box, content, decoder)
    image = batch.images[0].float().numpy()
    return draw_pair(Pair(record.image_id, display, box, image, decisions), recipe)


def display_of(record: ImageRecord, pixels: Pixels) -> NDArray[np.uint16]:
    """The decoded image (H, W) uint16 as its header wants it shown, whatever a recipe makes of it.

    Raises RejectError as `shading.image_shading`.
    """
    shading = image_shading(record, Recipe("preview"))
    (display,) = load_steps("cpu").window([pixels], [shading.display])
    shown: NDArray[np.uint16] = display
    return shown
