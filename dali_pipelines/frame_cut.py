"""The detector's edge, which a recipe may cut off, and boxes brought back to the px of the file."""

from dataclasses import replace

from dali_pipelines.pixel_settings import DecodeSettings
from dali_pipelines.records import GivenBox, StreamInfo
from dali_pipelines.stages import Pixels, Roi


def cut_frame(pixels: Pixels, settings: DecodeSettings) -> Pixels:
    """The image without `settings.cut` px of the file on each side; a view of the same memory."""
    height, width = pixels.values.shape
    rows, columns = _cut(height, width, pixels.reduce, settings)
    if rows == columns == 0:
        return pixels
    return replace(pixels, values=pixels.values[rows : height - rows, columns : width - columns])


def to_file_px(roi: Roi, reduce: int, stream: StreamInfo, settings: DecodeSettings) -> Roi:
    """A box of the cut image, of which `reduce` wavelet levels were left out, in px of the file."""
    height, width = (-(-edge >> reduce) for edge in (stream.height, stream.width))
    rows, columns = _cut(height, width, reduce, settings)
    moved = replace(
        roi,
        top=roi.top + rows,
        bottom=roi.bottom + rows,
        left=roi.left + columns,
        right=roi.right + columns,
    )
    return replace(moved.enlarged(reduce, stream.height, stream.width), reduce=reduce)


def from_file_px(
    box: GivenBox, shape: tuple[int, ...], reduce: int, settings: DecodeSettings
) -> GivenBox:
    """A box in px of the file in px of its cut image; `shape` (H, W) is that of the decoded one.

    Of the decoded image, of which `reduce` wavelet levels were left out, each px that the box
    touches counts. At least one px of the cut image remains.
    """
    rows, columns = _cut(shape[0], shape[1], reduce, settings)
    top, bottom = _inside(box.top, box.bottom, rows, shape[0], reduce)
    left, right = _inside(box.left, box.right, columns, shape[1], reduce)
    return replace(box, top=top, bottom=bottom, left=left, right=right)


def _inside(first: int, end: int, cut: int, length: int, reduce: int) -> tuple[int, int]:
    inner = length - 2 * cut
    start = min(max((first >> reduce) - cut, 0), inner - 1)
    return start, min(max(-(-end >> reduce) - cut, start + 1), inner)


def _cut(height: int, width: int, reduce: int, settings: DecodeSettings) -> tuple[int, int]:
    """How many rows and columns go on each side of a frame; at least one px is left."""
    cut = -(-settings.cut >> reduce)
    return min(cut, (height - 1) // 2), min(cut, (width - 1) // 2)
