"""What only the pixels tell of an image: blank, inverted, without a breast, burned out, mirrored.

Looks at display values, as a reader would. Nothing here changes a picture: a flag is reported, and
whoever trains on the image decides.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.cpu.roi import roi
from dali_pipelines.grayscale_curves import DISPLAY_TOP
from dali_pipelines.records import ImageTags
from dali_pipelines.roi_settings import AutoSettings, RoiSettings
from dali_pipelines.stages import Roi
from dali_pipelines.verdicts import Flag

Side = Literal["left", "right", ""]

# `border_level` of 240 phantoms and 3 real mammograms is 0.00 ... 0.28, that of their negatives
# 0.66 ... 1.00.
BRIGHT_BORDER: Final = 0.5
# The same pictures have at most 0.001 of the box at its top value: twenty times the most. A window
# that burns out, or a negative whose background is padding (0.47 and more), has far more.
SATURATED_SHARE: Final = 0.02
_BRIGHTER: Final = 0.25  # of the left and right borders of a film whose rim is bright: 0.70, 0.21
_BORDER: Final = 32  # a border is this part of the longer side: thicker than a bright frame line
_HANGING: Final[dict[str, Side]] = {"L": "left", "R": "right"}  # as of LCC, A\R, and RCC, P\L
_FIND_BREAST: Final = RoiSettings(auto=AutoSettings(margin=0.0))


@dataclass(frozen=True, slots=True)
class Content:
    """What was seen of an image.

    `flags` are in the order of `Flag`. `chest_side` is where the pixels have the chest wall, ""
    where they leave it open; `expected_side` where the header has it, by Patient Orientation or
    else by laterality. `border` is the level of the background's borders and `saturated` the share
    of the box at its top value, both 0 ... 1.
    """

    flags: tuple[Flag, ...]
    chest_side: Side
    expected_side: Side
    border: float
    saturated: float


def look_at(display: NDArray[np.uint16], tags: ImageTags) -> Content:
    """What is to be seen in one image of display values (H, W) uint16, and its flags.

    - CONSTANT: one display value, be it the file's fault or that of its window. No other flag then.
    - BACKGROUND_BRIGHT: `border_level` above half of the range; the polarity may be wrong.
    - NO_BREAST: no part is as large as a breast (`cpu.roi` with the default settings).
    - SATURATED: 2 % of the breast's box or more at the largest value in it.
    - SIDE_CONFLICT: the breast hangs from another side than the header says (`expected_side`).
    """
    (box,) = roi([display], _FIND_BREAST)
    border, saturated, expected = (
        border_level(display),
        _saturated(display, box),
        expected_side(tags),
    )
    if display.min() == display.max():
        return Content((Flag.CONSTANT,), "", expected, border, saturated)
    found = "" if border > BRIGHT_BORDER else chest_side(display, box)  # what was boxed may be air
    seen = {
        Flag.BACKGROUND_BRIGHT: border > BRIGHT_BORDER,
        Flag.NO_BREAST: not box.found,
        Flag.SATURATED: saturated >= SATURATED_SHARE,
        Flag.SIDE_CONFLICT: "" not in (found, expected) and found != expected,
    }
    flags = tuple(flag for flag, present in seen.items() if present)
    return Content(flags, found, expected, border, saturated)


def chest_side(display: NDArray[np.uint16], box: Roi) -> Side:
    """The side that the breast in this box hangs from, "" where that is not sure.

    It must be the side of the larger half of the breast (`Roi.mirror` under "chest-left"), and the
    one that the box is nearer to. A box as wide as the frame, as film with a bright rim has, is
    near to both: then its border must be brighter by a quarter of the range.
    """
    larger: Side = "right" if box.mirror else "left"
    gaps = box.left, display.shape[1] - box.right
    nearer = gaps[1] - gaps[0]
    if nearer == 0:
        left, right = (level / DISPLAY_TOP for level in _borders(display)[2:])
        nearer = 0 if abs(left - right) < _BRIGHTER else 1 if left > right else -1
    agrees = nearer < 0 if box.mirror else nearer > 0
    return larger if box.found and agrees else ""


def expected_side(tags: ImageTags) -> Side:
    """Where the header has the chest wall: Patient Orientation, else the usual hanging.

    A left breast hangs from the left edge and a right one from the right edge of a picture that
    nobody mirrored, in every view. "" where neither is known, and for a specimen.
    """
    if tags.chest_side:
        return tags.chest_side
    return "" if tags.view == "SPECIMEN" else _HANGING.get(tags.laterality, "")


def border_level(display: NDArray[np.uint16]) -> float:
    """The median of the medians of the three borders without chest wall, as a share of the range.

    The chest wall is taken to be at the brighter of the left and right borders. Of the three left
    over two are always top and bottom, so a picture in negative is found whatever its side. Source
    of the rule: a mammogram's border away from the chest wall is air, so it must be dark.
    """
    top, bottom, left, right = _borders(display)
    return float(np.median([top, bottom, min(left, right)])) / DISPLAY_TOP


def _borders(display: NDArray[np.uint16]) -> tuple[float, float, float, float]:
    """The medians of the top, bottom, left and right border."""
    depth = max(1, max(display.shape) // _BORDER)
    strips = display[:depth], display[-depth:], display[:, :depth], display[:, -depth:]
    top, bottom, left, right = (float(np.median(strip)) for strip in strips)
    return top, bottom, left, right


def _saturated(display: NDArray[np.uint16], box: Roi) -> float:
    """The share of the box's px that have the largest display value in it."""
    inside = display[box.top : box.bottom, box.left : box.right]
    return float(np.count_nonzero(inside == inside.max()) / inside.size)
