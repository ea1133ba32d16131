"""Coarse dropout: black rectangles, that no single place may decide."""

import numpy as np
import torch
from numpy.typing import NDArray

from trainer.augment.draws import Numbers, spread
from trainer.augment.texture_settings import DropoutSettings
from trainer.upload import upload


def drop_holes(planes: torch.Tensor, draws: Numbers, settings: DropoutSettings) -> torch.Tensor:
    """Planes (N, 1, H, W) with random holes of black 0; `draws` (N, 1 + 4 * most holes)."""
    height, width = planes.shape[2:]
    top, bottom, left, right = _bounds(draws, (height, width), settings)
    rows, columns = (
        _between(upload(np.stack(pair), torch.int64, planes.device), edge)
        for pair, edge in (((top, bottom), height), ((left, right), width))
    )
    covered = torch.bmm(rows.transpose(1, 2), columns)  # how many holes lie over a px
    return planes * (covered == 0)[:, None]


def _bounds(
    draws: Numbers, size: tuple[int, int], settings: DropoutSettings
) -> tuple[NDArray[np.int64], ...]:
    """Top, bottom, left and right (N, holes) of each hole, half-open; of no area where unused."""
    fewest, most = settings.holes
    count = np.floor(spread(draws[:, :1], fewest, most + 1))
    used = np.arange(most) < count
    heights, widths, downs, acrosses = draws[:, 1:].reshape(len(draws), 4, most).transpose(1, 0, 2)
    bounds: list[NDArray[np.int64]] = []
    for lengths, places, edge, share in (
        (heights, downs, size[0], settings.height),
        (widths, acrosses, size[1], settings.width),
    ):
        length = np.rint(spread(lengths, *share) * edge) * used
        start = np.floor(places * (edge - length + 1))
        bounds += [start.astype(np.int64), (start + length).astype(np.int64)]
    return tuple(bounds)


def _between(pair: torch.Tensor, edge: int) -> torch.Tensor:
    """1 where start <= place < end, else 0: (N, holes, edge) float32."""
    places = torch.arange(edge, device=pair.device)
    start, end = pair[..., None]
    between: torch.Tensor = (start <= places) & (places < end)
    return between.float()
