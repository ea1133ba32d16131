"""Gray to other gray, each px by itself: window, brightness and contrast, gamma, tone curve.

Every function takes planes (N, 1, H, W) with black 0 and white 1 and numbers (N, k) in [0, 1), and
gives planes within [0, 1].
"""

from typing import Final

import numpy as np
import torch
from scipy.special import ndtri

from trainer.augment.draws import Numbers, spread
from trainer.augment.tone_settings import (
    BrightnessSettings,
    CurveSettings,
    GammaSettings,
    WindowSettings,
)
from trainer.upload import per_image

_LEAST: Final = 2.0**-60  # keeps the normal quantile finite; far below the step of a draw, 2**-53


def move_window(planes: torch.Tensor, draws: Numbers, settings: WindowSettings) -> torch.Tensor:
    """Gray within a window moved and widened at random; `draws` (N, 2)."""
    center = 0.5 + spread(draws[:, 0], -settings.center, settings.center)
    width = 1 + spread(draws[:, 1], -settings.width, settings.width)
    return _linear(planes, 1 / width, 0.5 - center / width)


def change_brightness(
    planes: torch.Tensor, draws: Numbers, settings: BrightnessSettings
) -> torch.Tensor:
    """Gray x (1 + contrast) + add; `draws` (N, 2)."""
    factor = 1 + spread(draws[:, 0], *settings.contrast)
    return _linear(planes, factor, spread(draws[:, 1], *settings.add))


def change_gamma(planes: torch.Tensor, draws: Numbers, settings: GammaSettings) -> torch.Tensor:
    """Gray to a random power; `draws` (N, 1)."""
    return planes.clamp(0, 1).pow(per_image(spread(draws[:, 0], *settings.power), planes))


def change_curve(planes: torch.Tensor, draws: Numbers, settings: CurveSettings) -> torch.Tensor:
    """Gray by a Bezier curve from 0 to 1 with random handles; `draws` (N, 2)."""
    normal = settings.spread * ndtri(np.maximum(draws, _LEAST))
    low, high = (
        per_image(np.clip(middle + normal[:, side], 0, 1), planes)
        for side, middle in enumerate((0.25, 0.75))
    )
    gray = planes.clamp(0, 1)
    rest = 1 - gray
    # 3 (1-x)^2 x low + 3 (1-x) x^2 high + x^3, in a form of few passes
    curved = gray * (3 * rest * (rest * low + gray * high) + gray * gray)
    return curved.clamp_(0, 1)


def _linear(planes: torch.Tensor, factor: Numbers, offset: Numbers) -> torch.Tensor:
    return (planes * per_image(factor, planes)).add_(per_image(offset, planes)).clamp_(0, 1)
