"""Sizes that both devices must agree on: of the image a box is found on, and of what it becomes."""

from typing import Final, NamedTuple

from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.stages import Roi

REDUCED_SIZE: Final = 256  # px of the longer side of the image a box is found on: 2 % of 5355 rows


class Side(NamedTuple):
    """How a box comes to fill the output along one axis, the columns after any mirroring.

    `before` black px, those of the box and more black ones, `count_in` in all, become `count_out`
    samples. The first of them is number `corner` of the output; those outside of it are cut off.
    """

    before: int
    count_in: int
    count_out: int
    corner: int


def block_edge(shape: tuple[int, ...]) -> int:
    """The edge in px of the blocks that become one px of the image a box is found on."""
    return max(1, -(-max(shape) // REDUCED_SIZE))


def placement(roi: Roi, settings: ResizeSettings) -> tuple[Side, Side]:
    """Where the rows and the columns of a box go; `ResizeSettings.fit` says why."""
    frame = _framed(roi, settings)
    content = _resized(frame, settings)
    spare = settings.size[0] - content[0], settings.size[1] - content[1]
    rows = Side(_half(frame[0] - roi.height), frame[0], content[0], _half(spare[0]))
    if settings.align == "left":
        return rows, Side(0, frame[1], content[1], 0)
    return rows, Side(_half(frame[1] - roi.width), frame[1], content[1], _half(spare[1]))


def _framed(roi: Roi, settings: ResizeSettings) -> tuple[int, int]:
    """(h, w) px of the box with the black that is added before it is resized."""
    if settings.fit != "pad-first":
        return roi.height, roi.width
    height, width = settings.size
    if roi.height * width > roi.width * height:
        return roi.height, roi.height * width // height
    missing = roi.width * height // width - roi.height
    return roi.height + missing - (missing % 2 if settings.align == "left" else 0), roi.width


def _resized(frame: tuple[int, int], settings: ResizeSettings) -> tuple[int, int]:
    """(h, w) px that this takes up in the output, or would if the output were large enough."""
    height, width = settings.size
    if settings.fit == "keep":
        return frame
    if settings.fit == "width":
        return max(1, int(frame[0] * (width / frame[1]))), width
    if settings.fit != "pad":
        return height, width
    # As RSNA 2023's winner: at times 1023.999... becomes 1023 here. It never exceeds the size.
    scale = min(height / frame[0], width / frame[1])
    return max(1, int(frame[0] * scale)), max(1, int(frame[1] * scale))


def _half(count: int) -> int:
    """Half of a count of either sign, rounded toward 0."""
    return count // 2 if count >= 0 else -(-count // 2)
