"""Where in an image a network finds cancer: what its logit loses when a part is covered.

Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", 2014, section 4.2. Slow,
one pass for each place of the cover, but it believes nothing about the network.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import nn

from trainer.explain.grad_cam import Heat, at_most_one
from trainer.networks.build import logits_of

Box = tuple[int, int, int, int]  # top, bottom, left, right


def occlusion(
    model: nn.Module,
    images: torch.Tensor,
    present: torch.Tensor | None = None,
    cover: int = 0,
    batch: int = 8,
) -> Heat:
    """Heat (N, H, W) float32 in 0 ... 1: the mean loss of the covers over a px, 0 for a gain.

    Arguments and range as `grad_cam`. Covers are squares of `cover` px, 0 for an eighth of the
    shorter side, half of that apart; each has the mean value of what surrounds it at up to a
    cover's width, so that it adds no edge to dark skin or bright tissue. `batch` covered images, or
    units of several, are scored at a time.
    """
    model.eval()
    size = images.shape[2], images.shape[3]
    boxes = covers(size, cover or max(2, min(size) // 8))
    with torch.inference_mode():
        filled = images.float()
        every = [
            _losses(model, filled, present, k, boxes, batch) for k in range(len(images))
        ]  # each of (covers,)
    heat = np.stack([_spread(losses, boxes, size) for losses in every])
    return at_most_one(np.maximum(heat, 0))


def covers(size: tuple[int, int], width: int) -> list[Box]:
    """Squares that together cover an image of `size` (H, W), the last ones flush with its end."""
    rows, columns = (_starts(length, width) for length in size)
    return [
        (top, min(top + width, size[0]), left, min(left + width, size[1]))
        for top in rows
        for left in columns
    ]


def _starts(length: int, width: int) -> list[int]:
    last = max(0, length - width)
    return [*range(0, last, max(1, width // 2)), last]


def _losses(
    model: nn.Module,
    images: torch.Tensor,
    present: torch.Tensor | None,
    index: int,
    boxes: Sequence[Box],
    batch: int,
) -> Sequence[float]:
    """By how much the logit falls for each cover of one image, among the others of its unit."""
    views = 1 if present is None else present.shape[1]
    unit = index // views
    shown = images[unit * views : (unit + 1) * views]
    there = None if present is None else present[unit : unit + 1]
    whole = float(logits_of(model, shown, there)[0])
    losses: list[float] = []
    for group in _groups(boxes, batch):
        covered = shown.repeat(len(group), 1, 1, 1)
        for k, box in enumerate(group):
            _cover(covered[k * views + index % views], box)
        together = None if there is None else there.repeat(len(group), 1)
        losses += (whole - logits_of(model, covered, together)).tolist()
    return losses


def _groups(boxes: Sequence[Box], count: int) -> Iterator[Sequence[Box]]:
    for first in range(0, len(boxes), count):
        yield boxes[first : first + count]


def _cover(image: torch.Tensor, box: Box) -> None:
    """Put the mean of its surroundings into the box of an image (C, H, W), in place."""
    top, bottom, left, right = box
    height, width = bottom - top, right - left
    around = image[:, max(0, top - height) : bottom + height, max(0, left - width) : right + width]
    inside = image[:, top:bottom, left:right]
    count = around[0].numel() - inside[0].numel()
    mean = (around.sum((1, 2)) - inside.sum((1, 2))) / max(count, 1)
    image[:, top:bottom, left:right] = mean[:, None, None]


def _spread(losses: Sequence[float], boxes: Sequence[Box], size: tuple[int, int]) -> np.ndarray:
    total, count = np.zeros(size), np.zeros(size)
    for loss, (top, bottom, left, right) in zip(losses, boxes, strict=True):
        total[top:bottom, left:right] += loss
        count[top:bottom, left:right] += 1
    return total / count
