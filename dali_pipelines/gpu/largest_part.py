"""The largest connected part of each image of a batch, at full resolution, on the GPU.

The same boxes and masks as by `cpu/parts.py`, for all are integers. The number of launches does not
depend on the images.
"""

from collections.abc import Sequence
from typing import Final, Literal, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from dali_pipelines.gpu.boxes import FIELDS, DeviceMasks
from dali_pipelines.gpu.device import current_device, empty, upload

# The following are those of row_runs.cuh, label_parts.cu and largest_part.cu.
_WORD_PX: Final = 32
_THREADS: Final = 256
_WARPS: Final = _THREADS // 32
_STRIP_ROWS: Final = 32
_PART_WORDS: Final = 3  # of 8 bytes, struct Part
_IMAGE: Final = np.dtype(  # struct Image
    [
        ("values", np.uint64),
        ("words", np.uint64),
        ("entering", np.uint64),
        ("solid", np.uint64),
        ("labels", np.uint64),
        ("sizes", np.uint64),
        ("scale", np.float64),
        ("height", np.int32),
        ("width", np.int32),
        ("stride", np.int32),
        ("frame_height", np.int32),
        ("frame_width", np.int32),
        ("least", np.uint32),
    ]
)


class Frame(NamedTuple):
    """What the box of an image is for: (height, width) px, each `scale` px of the image.

    A part whose size is below `least` counts as not found.
    """

    height: int
    width: int
    scale: float = 1.0
    least: int = 0


def largest_part(
    images: Sequence[torch.Tensor],
    above: int,
    by: Literal["px", "area"],
    frames: Sequence[Frame] | None = None,
) -> tuple[torch.Tensor, DeviceMasks]:
    """The largest part of the px above a value in each image (H, W) uint16: box and px.

    What counts as the largest says `cpu.parts.largest_part`. Boxes (N, 6) int32, columns as in
    boxes.FIELDS, are in px of the image, or of its frame: bounds divided by the scale, rounded
    down. Where no part was found the box is all of it. The masks hold the px of each part, in px of
    the image. Images are contiguous and have fewer than 2**31 - 1 px; there is at least one.
    Nothing waits for the device.
    """
    assert all(image.is_contiguous() and image.numel() < (1 << 31) - 1 for image in images)
    frames = frames or [Frame(*image.shape) for image in images]
    described = _describe(images, frames)
    buffers = _allocate(described)
    table = upload(described)
    parts = empty((len(images), _PART_WORDS), torch.int64)
    _label(described, table, parts, above, by)
    boxes = empty((len(images), len(FIELDS)), torch.int32)
    _choose(described, table, parts, boxes, by)
    firsts = (described["solid"] - described["solid"][0]) // 4
    return boxes, DeviceMasks(buffers["solid"], firsts.astype(np.int64))


def _describe(images: Sequence[torch.Tensor], frames: Sequence[Frame]) -> NDArray[np.void]:
    """What the kernels read of each image, (N,) _IMAGE, but for the memory they work in."""
    described = np.zeros(len(images), _IMAGE)
    described["values"] = [image.data_ptr() for image in images]
    described["height"], described["width"] = np.transpose([image.shape for image in images])
    described["stride"] = -(-described["width"] // _WORD_PX)
    for name, column in zip(
        ("frame_height", "frame_width", "scale", "least"), zip(*frames, strict=True), strict=True
    ):
        described[name] = column
    return described


def _allocate(described: NDArray[np.void]) -> dict[str, torch.Tensor]:
    """Memory for the kernels, by its name in _IMAGE, where each image is told its share of it."""
    height, width = (described[name].astype(np.int64) for name in ("height", "width"))
    words = height * described["stride"]
    shares = {
        "words": words,
        "entering": words,
        "solid": words,
        "labels": 1 + height * width,
        "sizes": (height + 1) // 2 * ((width + 1) // 2),
    }
    buffers = {}
    for name, share in shares.items():
        buffers[name] = empty((int(share.sum()),), torch.int32)
        described[name] = buffers[name].data_ptr() + 4 * (np.cumsum(share) - share)
    return buffers


def _label(
    described: NDArray[np.void],
    table: torch.Tensor,
    parts: torch.Tensor,
    above: int,
    by: Literal["px", "area"],
) -> None:
    """Queue what finds the parts of the lit px, filled where it is by area."""
    device, count = current_device(), len(described)
    rows = (-(-int(described["height"].max()) // _WARPS), count)
    scalars = np.array([above, by == "area"], np.int32)
    device.launch("label_parts", "pack_rows", rows, (_THREADS,), (table, *scalars, parts))
    words = (_blocks(described["height"] * described["stride"]), count)
    for kernel in ("join_rows", "nest_parts", "fill_parts"):
        if kernel != "nest_parts" or by == "area":
            device.launch("label_parts", kernel, words, (_THREADS,), (table,))


def _choose(
    described: NDArray[np.void],
    table: torch.Tensor,
    parts: torch.Tensor,
    boxes: torch.Tensor,
    by: Literal["px", "area"],
) -> None:
    """Queue what measures the parts, chooses the largest and writes its box."""
    launch, count = current_device().launch, len(described)
    strips = -(-described["height"] // _STRIP_ROWS) * described["stride"]
    grid = (_blocks(strips), count)
    count_by = "count_px" if by == "px" else "count_half_squares"
    launch("largest_part", count_by, grid, (_THREADS,), (table,))
    launch("largest_part", "choose_part", grid, (_THREADS,), (table, parts))
    launch("largest_part", "measure_part", grid, (_THREADS,), (table, parts))
    arguments = (table, parts, np.int32(count), boxes)
    launch("largest_part", "write_boxes", (-(-count // _THREADS),), (_THREADS,), arguments)


def _blocks(items: NDArray[np.int32]) -> int:
    """Blocks for the image of the most items, a thread for each."""
    return -(-int(items.max()) // _THREADS)
