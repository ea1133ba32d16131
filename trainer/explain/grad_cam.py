"""Where in an image a network finds cancer: gradient-weighted class activation maps.

Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks", 2017, equations 1 and 2. The
map is laid where its cells look (`cells`).
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional

from trainer.explain.cells import Cells, CellTracer
from trainer.explain.feature_map import as_maps, layer_of, no_map
from trainer.networks.build import logits_of
from trainer.networks.views import backbone_of

Heat = NDArray[np.float32]  # (N, H, W), 0 ... 1


def grad_cam(
    model: nn.Module, images: torch.Tensor, present: torch.Tensor | None = None, layer: str = ""
) -> Heat:
    """Heat (N, H, W) float32 in 0 ... 1 of the logit of cancer, on the px of `images`.

    `images` (N, C, H, W) are what the network gets, on its device; `present` (units, V) bool is for
    a network of several views, as in `logits_of`. The hottest px of an image is 1; where no cell
    speaks for cancer all are 0. Raises ConfigError for a `layer` without a map.
    """
    size = images.shape[2], images.shape[3]
    maps, gradients, cells = _look(model, images, present, layer)
    weights = gradients.mean((2, 3), keepdim=True)
    shown = functional.relu((weights * maps).sum(1)).float().cpu().numpy()
    rows, columns = (axis.weights(length) for axis, length in zip(cells, size, strict=True))
    return at_most_one(rows @ shown @ columns.T)


def at_most_one(heat: NDArray[Any]) -> Heat:
    """Heat (N, H, W) of 0 or more with the hottest px of each image at 1, if any is above 0."""
    top = heat.max(axis=(1, 2), keepdims=True)
    return np.asarray(heat / np.where(top > 0, top, 1), np.float32)


def _look(
    model: nn.Module, images: torch.Tensor, present: torch.Tensor | None, layer: str
) -> tuple[torch.Tensor, torch.Tensor, tuple[Cells, Cells]]:
    """Maps of the layer and the gradients of the logits by them, (N, F, h, w), and their cells."""
    backbone = backbone_of(model)
    size = images.shape[2], images.shape[3]
    kept: list[tuple[torch.Tensor, torch.Tensor, tuple[Cells, Cells]]] = []

    def keep(_layer: nn.Module, _given: object, features: torch.Tensor) -> torch.Tensor:
        maps = as_maps(features, backbone, size)
        kept.append((features, maps.detach(), tracer.cells((maps.shape[2], maps.shape[3]))))
        return features.clone()  # what comes after may work in place

    model.eval()
    shown = images.detach().float().clone().requires_grad_()  # where all weights are frozen
    with CellTracer(backbone, size) as tracer, torch.enable_grad():
        handle = layer_of(backbone, layer).register_forward_hook(keep)
        try:
            logits = logits_of(model, shown, present)
        finally:
            handle.remove()
    if not kept:
        raise no_map(backbone)
    features, maps, cells = kept[0]
    (gradients,) = torch.autograd.grad(logits.sum(), features, allow_unused=True)
    if gradients is None:  # the scores do not come of it
        raise no_map(backbone)
    return maps, as_maps(gradients, backbone, size), cells
