"""The hot parts of a heat map as boxes."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

HOT: Final = 0.5  # of the hottest px of the image: half of it, as a full width at half maximum


@dataclass(frozen=True, slots=True)
class HeatBox:
    """A box around a hot part: half-open edges in px of the map, and its peak.

    `heat` is the hottest value in it, and (`row`, `column`) is where, in continuous px.
    """

    top: int
    left: int
    bottom: int
    right: int
    heat: float
    row: float
    column: float

    def scaled(self, down: float, across: float) -> "HeatBox":
        """The same box where the map is drawn smaller, on whole px and never empty."""
        top, left = int(self.top * down), int(self.left * across)
        return HeatBox(
            top,
            left,
            max(top + 1, round(self.bottom * down)),
            max(left + 1, round(self.right * across)),
            self.heat,
            self.row * down,
            self.column * across,
        )


def heat_boxes(heat: NDArray[np.float32], hot: float = HOT) -> list[HeatBox]:
    """Boxes around the connected parts of heat (H, W) of `hot` and more, the hottest first."""
    parts, count = ndimage.label(heat >= hot)
    if not heat.any() or not count:
        return []
    boxes = []
    for number, place in enumerate(ndimage.find_objects(parts), start=1):
        inside = np.where(parts[place] == number, heat[place], 0)
        peak = float(inside.max())
        rows, columns = np.nonzero(inside == peak)
        top, left = place[0].start, place[1].start
        center = top + float(rows.mean()) + 0.5, left + float(columns.mean()) + 0.5
        boxes.append(HeatBox(top, left, place[0].stop, place[1].stop, peak, *center))
    return sorted(boxes, key=lambda box: (-box.heat, box.top, box.left))
