"""One explained image as pictures and boxes, on the px of its file."""

import io
from collections.abc import Collection, Generator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from dali_pipelines.inspection.previewer import display_of
from dali_pipelines.inspection.side_by_side import fitted
from dali_pipelines.isolation.pool import DecodePool
from dali_pipelines.reader import read_encoded
from dali_pipelines.recipe import Recipe
from dali_pipelines.rejects.rejections import Rejections
from dali_pipelines.verdicts import Reject, RejectError, guarded
from trainer.explain.explain import Explained, ExplainOptions, explain
from trainer.explain.heat_boxes import HeatBox, heat_boxes
from trainer.explain.overlay import outlined, overlay
from trainer.prediction.scorers import Scorers

SMALL: Final = 1024  # px high
_QUICK: Final = 1  # zlib's level: 1 s instead of 6 s for 14 megapixels, and 1.2 times the bytes


@dataclass(frozen=True, slots=True)
class Pictures:
    """PNGs of the picture under its heat: on the px of the file, and small beside the plain one.

    `boxes` are around its hot parts, in px of the file.
    """

    large: bytes
    small: bytes
    boxes: tuple[HeatBox, ...]


def picture_all(
    frame: pd.DataFrame, scorers: Scorers, image_ids: Collection[str], options: ExplainOptions
) -> Generator[tuple[Explained, Pictures] | Reject]:
    """As `explain`, each image with its pictures."""
    with closing(DecodePool(1)) as children:
        for found in explain(frame, scorers, image_ids, options):
            if isinstance(found, Reject):
                yield found
                continue
            pictures = guarded(partial(draw, found, children))
            if isinstance(pictures, RejectError):
                rejections = Rejections([found.record])
                rejections.add(0, "explain", pictures)
                yield rejections.rows[0]
            else:
                yield found, pictures


def draw(explained: Explained, children: DecodePool) -> Pictures:
    """The pictures of one image, which is shown as its header wants it.

    Raises RejectError where the file can no longer be read or decoded, or has no gray scale.
    """
    record = explained.record
    display = display_of(record, children.decode(read_encoded(record), Recipe("whole")))
    heat = explained.heat((display.shape[0], display.shape[1]))
    boxes = tuple(heat_boxes(heat))
    large = outlined(overlay(display / np.float32(65535), heat), boxes)
    return Pictures(_png(large), _png(_small(display, explained, boxes)), boxes)


def _small(
    display: NDArray[np.uint16], explained: Explained, boxes: tuple[HeatBox, ...]
) -> NDArray[np.uint8]:
    """The picture without heat, and with it."""
    gray = fitted(display, min(SMALL, display.shape[0]))
    shown = overlay(gray / np.float32(255), explained.heat((gray.shape[0], gray.shape[1])))
    scale = gray.shape[0] / display.shape[0], gray.shape[1] / display.shape[1]
    plain = np.repeat(gray[..., None], 3, axis=2)
    return np.concatenate([plain, outlined(shown, [box.scaled(*scale) for box in boxes])], axis=1)


def _png(picture: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG", compress_level=_QUICK)
    return file.getvalue()
