"""Boxes found by the kernels, after a look that the CPU finds the same."""

import numpy as np

from dali_pipelines.cpu.roi import roi as cpu_roi
from dali_pipelines.gpu.roi import roi
from dali_pipelines.roi_settings import AutoSettings, RoiSettings
from dali_pipelines.stages import Roi
from tests.dali_pipelines.gpu.real_device import on_device

EXACT = RoiSettings(mirror="none", auto=AutoSettings(margin=0, min_area=0))
SPIRAL_ROWS = (  # one part, whose px are far from one another along it
    "##########.",
    ".........#.",
    "########.#.",
    "#......#.#.",
    "#.####.#.#.",
    "#.#..#.#.#.",
    "#.#.##.#.#.",
    "#.#....#.#.",
    "#.######.#.",
    "#........#.",
    "##########.",
)


def boxes(images: list[np.ndarray], settings: RoiSettings = EXACT) -> list[Roi]:
    """The boxes of the kernels on the device in place."""
    found = list(roi([on_device(image) for image in images], settings))
    wanted = cpu_roi(images, settings)
    assert found == wanted, f"{found} is not {wanted}"
    return found


def box(image: np.ndarray, settings: RoiSettings = EXACT) -> tuple[int, int, int, int]:
    """(top, bottom, left, right) of one image in which a breast is found."""
    (found,) = boxes([image], settings)
    assert found.found
    return found.top, found.bottom, found.left, found.right


def drawn(*rows: str) -> np.ndarray:
    """An image of white where a row has a #, black elsewhere."""
    return np.where(np.array([list(row) for row in rows]) == "#", 65535, 0).astype(np.uint16)
