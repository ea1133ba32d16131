"""All that moves px, in one interpolation: crop, flips, affine, elastic, grid and optical.

Bytes of device memory an image and px, in float32: the matrix alone writes a place (8), and the
interpolation reads it and four neighbors, mostly from cache, and writes the result (8 + 4 + 4).
Optical distortion and elastic fields add some 40 each. An interpolation for each change would
smooth the image as often.
"""

import numpy as np
import torch
from torch.nn import functional

from trainer.augment.elastic import displacements
from trainer.augment.geometry_settings import ElasticSettings
from trainer.augment.hashing import upload_keys
from trainer.augment.movement import Movement
from trainer.augment.settings import AugmentSettings
from trainer.upload import upload


def warp(planes: torch.Tensor, movement: Movement, settings: AugmentSettings) -> torch.Tensor:
    """Planes (N, 1, H, W), black 0, moved as `movement` says; linear between px."""
    size = (planes.shape[2], planes.shape[3])
    grid = _sources(movement, size, settings.elastic, planes.device)
    mode = "zeros" if settings.border == "black" else "reflection"
    moved = functional.grid_sample(
        planes, grid, mode="bilinear", padding_mode=mode, align_corners=False
    )
    if movement.boxes is not None:
        boxes = movement.boxes / np.array([size[1], size[0]] * 2) * 2  # as the grid: 1 at the edge
        moved *= _inside(grid, upload(boxes, torch.float32, planes.device))
    return moved


def flip(planes: torch.Tensor, axis: int) -> torch.Tensor:
    """Planes mirrored along `axis`, to the bit."""
    return torch.flip(planes, (axis,))


def _sources(
    movement: Movement, size: tuple[int, int], elastic: ElasticSettings, device: torch.device
) -> torch.Tensor:
    """Where each px comes from, (N, H, W, 2): x and y, -1 and 1 at the frame's edges."""
    x, y = _displaced(movement, size, elastic, device)
    height, width = size
    matrices = upload(movement.sources, torch.float32, device)
    grid = x.new_empty(len(matrices), height, width, 2)
    for axis, half in enumerate((width / 2, height / 2)):
        by_x, by_y, shift = (matrices[:, axis, k, None, None] / half for k in range(3))
        torch.add(x * by_x + shift, y * by_y, out=grid[..., axis])
    return grid


def _displaced(
    movement: Movement, size: tuple[int, int], elastic: ElasticSettings, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Places x and y of each px from the center, displaced; they broadcast to (N, H, W)."""
    height, width = size
    x = _centers(width, device)[None, None, :]
    y = _centers(height, device)[None, :, None]
    moves = []
    if movement.cells is not None:
        cells = upload(movement.cells, torch.float32, device)
        moves.append(
            (_stretch(cells[:, 0], width)[:, None, :], _stretch(cells[:, 1], height)[:, :, None])
        )
    if movement.bends is not None:
        bends = upload(movement.bends, torch.float32, device)[:, None, None]
        square = (x / width).square() + (y / height).square()
        factor = bends * (square + square.square())
        moves.append((x * factor, y * factor))
    if movement.elastic is not None and movement.keys is not None:
        keys = upload_keys(movement.keys, device)
        field = displacements(keys, size, elastic.alpha, elastic.sigma)
        every = field.new_zeros(len(movement.sources), *field.shape[1:])
        every.index_copy_(0, upload(movement.elastic, torch.int64, device), field)
        moves.append((every[:, 0], every[:, 1]))
    for across, down in moves:
        x, y = x + across, y + down
    return x, y


def _stretch(cells: torch.Tensor, edge: int) -> torch.Tensor:
    """How far (N, edge) each px moves where the n-th of the cells (N, steps) is that much wider."""
    steps = cells.shape[1]
    places = (torch.arange(edge, device=cells.device) + 0.5) * (steps / edge)
    wider = (cells - 1) * (edge / steps)
    moved = torch.zeros(len(cells), edge, device=cells.device)
    for step in range(steps):
        moved += wider[:, step, None] * (places - step).clamp(0, 1)
    return moved


def _centers(edge: int, device: torch.device) -> torch.Tensor:
    """The places of px from the middle of an edge."""
    return torch.arange(edge, device=device) + (0.5 - edge / 2)


def _inside(grid: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """Whether places (N, H, W, 2) lie in boxes (N, 4) of the same unit: (N, 1, H, W)."""
    center, reach = boxes[:, None, None, :2], boxes[:, None, None, 2:]
    inside: torch.Tensor = ((grid - center).abs() <= reach).all(dim=-1)
    return inside[:, None]
