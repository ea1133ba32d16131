"""Sizes that both devices must agree on: of the image a box is found on, and of what it becomes."""

from typing import Final

from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.stages import Roi

REDUCED_SIZE: Final = 256  # px of the longer side of the image a box is found on: 2 % of 5355 rows


def block_edge(shape: tuple[int, ...]) -> int:
    """The edge in px of the blocks that become one px of the image a box is found on."""
    return max(1, -(-max(shape) // REDUCED_SIZE))


def content_size(roi: Roi, settings: ResizeSettings) -> tuple[int, int]:
    """(h, w) px that the box takes up in the output: all of it, or less where the fit is "pad"."""
    height, width = settings.size
    if settings.fit == "stretch":
        return height, width
    scale = min(height / roi.height, width / roi.width)
    return (
        min(height, max(1, round(roi.height * scale))),
        min(width, max(1, round(roi.width * scale))),
    )


def content_corner(content: tuple[int, ...], settings: ResizeSettings) -> tuple[int, int]:
    """(top, left) px of the content in the output."""
    top = (settings.size[0] - content[0]) // 2
    left = 0 if settings.align == "left" else (settings.size[1] - content[1]) // 2
    return top, left
