"""Records in, what a recipe makes of each out: whole picture, box, what the network sees."""

from collections.abc import Callable, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.frame_cut import to_file_px
from dali_pipelines.inspection.box_quality import box_quality
from dali_pipelines.inspection.previewer import display_of
from dali_pipelines.isolation.pool import DecodePool
from dali_pipelines.reader import read_encoded
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.rejects.rejections import Rejections
from dali_pipelines.shading import image_shading
from dali_pipelines.stages import Roi
from dali_pipelines.steps import load_finder, load_steps
from dali_pipelines.verdicts import Reject, RejectError, guarded

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class BoxedImage:
    """An image under a recipe.

    `display` (H, W) uint16 is all of it as its header wants it shown, `box` what is cut out of it
    in px of the file, `image` (C, h, w) float32 what the network gets, `quality` 0 ... 1 that of
    `box_quality`.
    """

    record: ImageRecord
    display: NDArray[np.uint16]
    box: Roi
    image: NDArray[np.float32]
    quality: float


def boxed_images(
    records: Sequence[ImageRecord],
    recipe: Recipe,
    use: Callable[[BoxedImage], T],
    workers: int,
) -> Generator[T | Reject]:
    """For each record, in order, what `use` makes of its image, or why there is none.

    All on the CPU, by so many threads, which `use` runs in too; no more is kept of an image than
    what `use` gives.
    """
    load_finder("cpu", recipe.roi)
    rejections = Rejections(records)
    with (
        closing(DecodePool(workers)) as children,
        ThreadPoolExecutor(workers, "mammo-box") as pool,
    ):
        look = partial(_look, recipe=recipe, children=children, use=use)
        results = pool.map(look, records)
        try:
            for k, result in enumerate(results):
                if isinstance(result, RejectError):
                    rejections.add(k, "montage", result)
                    yield rejections.by_id[records[k].image_id]
                else:
                    yield result
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _look(
    record: ImageRecord, recipe: Recipe, children: DecodePool, use: Callable[[BoxedImage], T]
) -> T | RejectError:
    return guarded(lambda: use(_boxed(record, recipe, children)))


def _boxed(record: ImageRecord, recipe: Recipe, children: DecodePool) -> BoxedImage:
    encoded = read_encoded(record)
    pixels = children.decode(encoded, recipe)
    whole = children.decode(encoded, Recipe("whole")) if pixels.reduce else pixels
    display = display_of(record, whole)
    out = np.zeros((1, recipe.channels, *recipe.size), np.float32)
    shading = image_shading(record, recipe)
    (roi,) = load_steps("cpu").prepare([pixels], [shading], recipe, out, [record.box])
    box = to_file_px(roi, pixels.reduce, record.stream, recipe.decode)
    return BoxedImage(record, display, box, out[0], box_quality(display, box))
