"""Boxes by hand in the place of those that were found, on the CPU."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.records import GivenBox
from dali_pipelines.stages import Roi


def put_given(
    displays: Sequence[NDArray[np.uint16]],
    rois: Sequence[Roi],
    given: Sequence[GivenBox | None],
) -> Sequence[Roi]:
    """`rois`, but for each image that has a box by hand, in px of the image (H, W), that one.

    It comes without a mask, and is mirrored as the found one where it does not say.
    """
    assert len(displays) == len(rois) == len(given)
    return [roi if box is None else roi.given(box) for roi, box in zip(rois, given, strict=True)]
