"""Black outside of a ROI's mask, on the CPU."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.stages import Roi


def mask(
    displays: Sequence[NDArray[np.uint16]], rois: Sequence[Roi]
) -> Sequence[NDArray[np.uint16]]:
    """The images (H, W) uint16 with 0 where a ROI's mask is False; without a mask as they are."""
    return [
        display if roi.mask is None else display * roi.mask  # a third of the time of np.where
        for display, roi in zip(displays, rois, strict=True)
    ]
