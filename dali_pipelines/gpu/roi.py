"""The part of each image to keep, found by the method of the recipe, and whether to mirror it.

The twin of `cpu/roi.py`: the same boxes; they stay on the device. Each method is a module of
`finders` with a function `find`, which is imported when it is first asked for.
"""

import importlib
from collections.abc import Sequence

import torch

from dali_pipelines.gpu.given import put_given
from dali_pipelines.gpu.mirror import mirror
from dali_pipelines.records import GivenBox
from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.stages import Roi


def roi(
    displays: Sequence[torch.Tensor],
    settings: RoiSettings,
    given: Sequence[GivenBox | None] = (),
) -> Sequence[Roi]:
    """The part to keep of each image of display values (H, W) uint16, background dark.

    It is the full frame where the method is "none". The box is in px of the image as it is given,
    also where that is to be mirrored. `given` are boxes by hand, one or None for each image, that
    are taken whatever the method finds; () where there are none.

    The images are contiguous, of any size up to 65,536 px a side. Nothing waits for the device
    until an element of the result is looked at.
    """
    found = mirror(displays, _find(displays, settings), settings)
    return put_given(displays, found, given) if any(given) else found


def _find(displays: Sequence[torch.Tensor], settings: RoiSettings) -> Sequence[Roi]:
    """What the chosen method finds."""
    if settings.method == "none" or not displays:
        return [Roi(0, display.shape[0], 0, display.shape[1]) for display in displays]
    finder = importlib.import_module(f"dali_pipelines.gpu.finders.{settings.module}")
    found: Sequence[Roi] = finder.find(displays, settings)
    return found
