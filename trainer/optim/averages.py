"""Averages of weights: one that follows the steps, and one over the best epochs."""

from collections.abc import Iterable, Mapping

import torch
from timm.utils import ModelEmaV3
from torch import nn

from dali_pipelines.errors import CheckpointError
from trainer.optim.settings import AverageSettings

Weights = dict[str, torch.Tensor]


def build_ema(model: nn.Module, settings: AverageSettings) -> ModelEmaV3 | None:
    """A copy of the network that follows it, as `.module`; None where there is to be none.

    After each step of the optimizer, `ema.update(model, step)` with the number of steps done in
    the run moves it by 1 - d of the way, where d is the decay, or with warm-up at most
    1 - step^(-2/3); step 1 copies. Its whole state is `.module.state_dict()`. The averages of
    batch norm follow too, counts are copied.
    """
    if not settings.ema:
        return None
    return ModelEmaV3(model, decay=settings.ema, use_warmup=settings.ema_warmup)


def average_weights(states: Iterable[Mapping[str, torch.Tensor]]) -> Weights:
    """The mean of some networks' weights and batch norm averages, summed as float64.

    Counts and other whole numbers are the first one's. Variances are averaged as they are; what
    the means differ by is not added. Source: SWA, arXiv 1803.05407, without its pass over the data.

    Raises CheckpointError where they are not of one network, ValueError for none at all.
    """
    first: Weights = {}
    totals: Weights = {}
    count = 0
    for state in states:
        if not count:
            first = dict(state)
            totals = {k: torch.zeros_like(v, dtype=torch.float64) for k, v in _floating(first)}
        _require_alike(first, state)
        for name in totals:
            totals[name] += state[name]
        count += 1
    if not count:
        raise ValueError("there is nothing to average")
    means = {name: (total / count).to(first[name].dtype) for name, total in totals.items()}
    return {name: means.get(name, tensor) for name, tensor in first.items()}


def _floating(state: Weights) -> list[tuple[str, torch.Tensor]]:
    return [(name, tensor) for name, tensor in state.items() if tensor.is_floating_point()]


def _require_alike(first: Weights, other: Mapping[str, torch.Tensor]) -> None:
    odd = sorted(first.keys() ^ other.keys())
    odd += [name for name in first.keys() & other.keys() if first[name].shape != other[name].shape]
    if odd:
        raise CheckpointError(
            f"weights of different networks cannot be averaged: they differ in {len(odd)} tensors, "
            f"for instance {odd[0]!r}"
        )
