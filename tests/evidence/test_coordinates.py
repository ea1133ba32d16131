"""A box drawn on what a network sees lies, brought back to the file, where it belongs.

Four soft spots are painted into phantoms at fractional px. They are found again in the prepared
pixels, by those alone; the boxes between them, brought back, must have their edges within 1 px of
the file's: for every recipe, and as it leaves out what wavelet levels it can.
"""

from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dali_pipelines.original_px import to_file
from dali_pipelines.phantom.patients import PhantomSettings
from dali_pipelines.recipe import load_recipe, recipe_names
from tests.dali_pipelines.marked_phantoms import Marked, find_spots, write_marked

pytestmark = pytest.mark.slow

ALLOWED_PX = 1.0
SIZE = (1283, 1029)  # odd: no wavelet level ends with the image
NUMBERS = {True: (0, 3, 6), False: (6,)}  # left CC, right MLO, right CC, of two makers
SPOT_PX = 12
WAYS = {"whole": [], "levels left out": ["decode.reduce=auto"], "edge cut": ["decode.cut=7"]}


def test_boxes_come_back_within_one_px(
    tmp_path: Path, full: bool, record_evidence: Callable[..., None]
) -> None:
    height, width = SIZE
    settings = PhantomSettings(patients=4, height=height, width=width, syntax="j2k", seed=5)
    marked = [write_marked(tmp_path, settings, n, SPOT_PX) for n in NUMBERS[full]]
    names = recipe_names() if full else ["default-1536", "demo", "lecture", "spr-1st", "stemgene"]
    found = {name: {way: farthest(marked, name, sets) for way, sets in WAYS.items()}
             for name in names}  # fmt: skip
    record_evidence(
        "coordinates",
        {
            "phantoms": len(marked),
            "size_px": [height, width],
            "boxes_each": 6,
            "allowed_px": ALLOWED_PX,
            "farthest_edge_px": found,
        },
    )
    assert max(max(ways.values()) for ways in found.values()) <= ALLOWED_PX


def farthest(marked: list[Marked], name: str, sets: list[str]) -> float:
    """The largest distance of an edge of any box from where it belongs, px of the file."""
    recipe = load_recipe(name, sets)
    worst = 0.0
    for phantom in marked:
        spots, roi = find_spots(phantom, recipe)
        nearest = [
            int(np.abs(phantom.spots - p).sum(1).argmin()) for p in to_file(spots, roi, recipe)
        ]
        assert sorted(nearest) == list(range(len(spots)))
        boxes, truth = boxes_between(spots), boxes_between(phantom.spots[nearest])
        worst = max(worst, float(np.abs(to_file(boxes, roi, recipe) - truth).max()))
    return round(worst, 3)


def boxes_between(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The boxes (n, 4) that have two of the points as corners: (top, left, bottom, right)."""
    corners = np.array(list(combinations(points, 2)))
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)
