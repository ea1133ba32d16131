"""The learning rate as a pure function of how much of the run is done.

It depends on nothing else but the figures of the epochs behind, so there is no scheduler to save,
and a run resumed with another number of ranks goes on along the same curve.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final

import torch

from trainer.optim.patience import rises_missed
from trainer.optim.settings import OptimSettings

_POLY_POWER: Final = 0.9  # DeepLab, arXiv 1606.00915, section 4.1; also nnU-Net's


def learning_rate(
    done: float, settings: OptimSettings, epochs: int, figures: Sequence[float | None] = ()
) -> float:
    """The rate when the share `done` in [0, 1] of the `epochs` of a run is behind.

    An epoch under way counts by its blocks, so that "step" and "restarts" fall between epochs also
    where these differ in length. `figures` are the monitored value of each finished epoch, None
    where undefined; only "plateau" looks at them.

    One cycle is of arXiv 1708.07120, restarts are of SGDR, arXiv 1608.03983.
    """
    done = min(done, 1.0)
    warmup = settings.warmup_share
    if done < warmup:
        risen = done / warmup
        if settings.schedule == "one-cycle":
            risen = 1 - _half_cosine(risen)
        return settings.warmup_lr + (settings.lr - settings.warmup_lr) * risen
    fall = _FALLS.get(settings.schedule)
    if fall is not None:
        return _above_least(fall((done - warmup) / (1 - warmup)), settings)
    past = done * epochs / settings.step_epochs
    if settings.schedule == "restarts":
        return _above_least(_half_cosine(past % 1.0 if done < 1 else 1.0), settings)
    drops = math.floor(past)
    if settings.schedule == "plateau":
        drops = rises_missed(figures, settings.patience)
    return max(settings.lr * settings.factor**drops, settings.min_lr)


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group of the optimizer that rate, times its own "lr_scale"."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("lr_scale", 1.0)


def _above_least(share: float, settings: OptimSettings) -> float:
    return settings.min_lr + (settings.lr - settings.min_lr) * share


def _half_cosine(x: float) -> float:
    """From 1 at x = 0 to 0 at x = 1."""
    return (1 + math.cos(math.pi * x)) / 2


# How far a schedule has come down, from 1 to 0, at the share x of its way.
_FALLS: Final[dict[str, Callable[[float], float]]] = {
    "cosine": _half_cosine,
    "one-cycle": _half_cosine,
    "linear": lambda x: 1 - x,
    "poly": lambda x: (1 - x) ** _POLY_POWER,
    "constant": lambda _: 1.0,
}
