"""The box that a network finds, else the largest contour above Otsu's threshold, on the CPU."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.cpu.finders import otsu
from dali_pipelines.cpu.given import put_given
from dali_pipelines.cpu.shrink import shrink
from dali_pipelines.detector import detect, detector_thumbnail
from dali_pipelines.records import GivenBox
from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.stages import Roi
from dali_pipelines.thumbnail_settings import DetectorSettings


def find(displays: Sequence[NDArray[np.uint16]], settings: RoiSettings) -> Sequence[Roi]:
    """The box that the network finds in each image (`DetectorSettings`), else that of "otsu"."""
    detected = [_detected(display, settings.detector) for display in displays]
    missed = [display for display, box in zip(displays, detected, strict=True) if box is None]
    others = iter(otsu.find(missed, settings))
    frames = [
        Roi(0, display.shape[0], 0, display.shape[1]) if box else next(others)
        for display, box in zip(displays, detected, strict=True)
    ]
    return put_given(displays, frames, detected)


def _detected(display: NDArray[np.uint16], settings: DetectorSettings) -> GivenBox | None:
    small = detector_thumbnail(display.shape, settings)
    return detect(shrink(display, small), small.scale, display.shape, settings)
