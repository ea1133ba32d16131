"""Changes of a px by its neighbors and by noise: downscale, blur, median, noise.

Every function takes planes (N, 1, H, W) with black 0 and white 1 and numbers (N, k) in [0, 1), and
gives planes within [0, 1].
"""

import math

import numpy as np
import torch
from torch.nn import functional

from trainer.augment.draws import Numbers, spread
from trainer.augment.hashing import normal_field, upload_keys
from trainer.augment.texture_settings import BlurSettings, DownscaleSettings, NoiseSettings
from trainer.upload import per_image, upload


def downscale(planes: torch.Tensor, draws: Numbers, settings: DownscaleSettings) -> torch.Tensor:
    """Shrunk and enlarged again; `draws` (N, 1). One image after another: each has its own size."""
    height, width = planes.shape[2:]
    changed = torch.empty_like(planes)
    for row, scale in enumerate(spread(draws[:, 0], *settings.scale).tolist()):
        size = [max(round(scale * edge), 1) for edge in (height, width)]
        small = functional.interpolate(planes[row, None], size, mode="bilinear")
        changed[row] = functional.interpolate(small, (height, width), mode="bilinear")[0]
    return changed


def blur(planes: torch.Tensor, draws: Numbers, settings: BlurSettings) -> torch.Tensor:
    """Convolved with a Gaussian cut off at three deviations; `draws` (N, 1).

    Sums in a fixed order, along each axis: 2 r + 1 reads of the plane for radius r.
    """
    sigmas = spread(draws, *settings.sigma)
    reach = math.ceil(3 * settings.sigma[1])
    away = np.arange(-reach, reach + 1)
    kernels = np.exp(-0.5 * (away / sigmas) ** 2) * (np.abs(away) <= np.ceil(3 * sigmas))
    kernels /= kernels.sum(axis=1, keepdims=True)
    weights = upload(kernels, torch.float32, planes.device)[:, :, None, None, None]
    for axis in (3, 2):
        padding = [reach, reach, 0, 0] if axis == 3 else [0, 0, reach, reach]
        wide, edge = functional.pad(planes, padding, mode="replicate"), planes.shape[axis]
        planes = torch.zeros_like(planes)
        for step in range(2 * reach + 1):
            planes += wide.narrow(axis, step, edge) * weights[:, step]
    return planes.clamp_(0, 1)


def median(planes: torch.Tensor) -> torch.Tensor:
    """The median of each px and its eight neighbors; edges are repeated outward.

    Of three sorted columns it is the median of the greatest low, the middle middle and the least
    high value (J. L. Paeth, Graphics Gems, 1990).
    """
    wide = functional.pad(planes, [1, 1, 1, 1], mode="replicate")
    rows = [wide.narrow(2, step, planes.shape[2]) for step in range(3)]
    low, middle, high = _sorted(*rows)
    edge = planes.shape[3]
    lows, middles, highs = (
        [part.narrow(3, step, edge) for step in range(3)] for part in (low, middle, high)
    )
    greatest_low = torch.maximum(torch.maximum(lows[0], lows[1]), lows[2])
    least_high = torch.minimum(torch.minimum(highs[0], highs[1]), highs[2])
    return _sorted(greatest_low, _sorted(*middles)[1], least_high)[1]


def add_noise(planes: torch.Tensor, draws: Numbers, settings: NoiseSettings) -> torch.Tensor:
    """Gaussian noise added, each image's own; `draws` (N, 2)."""
    height, width = planes.shape[2:]
    noise = normal_field(upload_keys(draws[:, 0], planes.device), height, width)
    noise *= per_image(spread(draws[:, 1], *settings.std), planes)
    return noise.add_(planes).clamp_(0, 1)


def _sorted(
    a: torch.Tensor, b: torch.Tensor, c: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The least, middle and greatest of three, px by px."""
    low, high = torch.minimum(a, b), torch.maximum(a, b)
    return (
        torch.minimum(low, c),
        torch.maximum(low, torch.minimum(high, c)),
        torch.maximum(high, c),
    )
