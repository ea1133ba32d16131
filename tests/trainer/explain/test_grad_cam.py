"""Grad-CAM: by hand on a network of two filters, and its form on those of timm."""

import numpy as np
import pytest
import torch
from torch import nn

from dali_pipelines.errors import ConfigError
from trainer.explain.grad_cam import grad_cam
from trainer.networks.build import build_model

NETWORKS = ["test_resnet", "test_efficientnet", "test_convnext", "test_vit"]


class TwoFilters(nn.Module):
    """Mean of the image times 2, less the mean of its square: one px is one cell."""

    def __init__(self) -> None:
        super().__init__()
        self.maps = _Powers()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.maps(images)
        pooled = maps.mean((2, 3))
        return (2 * pooled[:, 0] - pooled[:, 1])[:, None]


class _Powers(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return torch.cat([images, images**2], 1)


def built(name: str, **more: object) -> nn.Module:
    torch.manual_seed(0)
    size = {"img_size": [64, 48]} if name == "test_vit" else {}
    return build_model({"model_name": name, "in_chans": 1, "num_classes": 1, **size, **more})


def test_the_map_by_hand() -> None:
    # weights are 2/n and -1/n, so a px of x has relu(2x - x^2): 0, 0.75, 1, 0 for 0, 0.5, 1, 3
    image = torch.tensor([[0.0, 0.5], [1.0, 3.0]])[None, None]
    heat = grad_cam(TwoFilters(), image, layer="maps")
    assert heat.dtype == np.float32
    assert heat.tolist() == [[[0, 0.75], [1, 0]]]


def test_nothing_speaks_for_cancer_where_every_px_speaks_against_it() -> None:
    heat = grad_cam(TwoFilters(), torch.full((1, 1, 2, 2), 3.0), layer="maps")
    assert not heat.any()


@pytest.mark.parametrize("name", NETWORKS)
def test_each_image_has_its_heat_whatever_comes_beside_it(name: str) -> None:
    model = built(name)
    images = torch.randn(3, 1, 64, 48)
    heat = grad_cam(model, images)
    assert heat.shape == (3, 64, 48)
    assert heat.dtype == np.float32
    assert np.isfinite(heat).all()
    assert heat.min() >= 0
    assert set(heat.max(axis=(1, 2)).round(6)) <= {0.0, 1.0}
    assert heat.any()
    alone = grad_cam(model, images[1:2])
    assert np.abs(alone - heat[1]).max() < 1e-3


@pytest.mark.parametrize("name", NETWORKS)
def test_the_network_is_left_as_it_was(name: str) -> None:
    model = built(name).requires_grad_(False)  # as one that only scores may be
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with torch.inference_mode(False):
        grad_cam(model, torch.randn(1, 1, 64, 48))
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not any(part._forward_hooks for part in model.modules())


class Strided(nn.Module):
    """The sum of an image after three layers of stride 2, each 3 px wide."""

    def __init__(self) -> None:
        super().__init__()
        self.way = nn.Sequential(*[nn.Conv2d(1, 1, 3, 2, 1, bias=False) for _ in range(3)])
        for layer in self.way:
            nn.init.ones_(layer.weight)  # type: ignore[arg-type]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.way(images).sum((1, 2, 3))[:, None]


@pytest.mark.parametrize("place", [(32, 40), (8, 16), (48, 0)])
def test_heat_is_where_the_cell_looks(place: tuple[int, int]) -> None:
    images = torch.zeros(1, 1, 64, 56)
    images[0, 0, place[0], place[1]] = 1  # of which cell (row / 8, column / 8) alone is made
    heat = grad_cam(Strided(), images, layer="way.2")[0]
    assert np.unravel_index(heat.argmax(), heat.shape) == place


@pytest.mark.parametrize("unit", ["breast", "exam"])
@pytest.mark.parametrize("fusion", ["concat", "max", "attention", "transformer"])
def test_each_view_of_a_unit_has_heat_of_its_own_and_a_missing_one_none(
    unit: str, fusion: str
) -> None:
    layers = {"layers": 1} if fusion == "transformer" else {}
    model = built("test_resnet", unit=unit, fusion=fusion, **layers)
    views = {"breast": 2, "exam": 4}[unit]
    present = torch.ones(2, views, dtype=torch.bool)
    present[1, 0] = False
    images = torch.randn(2 * views, 1, 64, 48)
    heat = grad_cam(model, images, present)
    for parameter in model.head.parameters():
        parameter.data.neg_()  # what spoke against cancer speaks for it
    heat += grad_cam(model, images, present)
    assert heat.shape == (2 * views, 64, 48)
    seen = heat.any(axis=(1, 2))
    assert seen.tolist() == [k != views for k in range(2 * views)]


def test_a_layer_that_is_not_there_has_a_neighbor_that_is() -> None:
    with pytest.raises(ConfigError, match=r"no layer 'layer5'.*layer"):
        grad_cam(built("test_resnet"), torch.zeros(1, 1, 64, 48), layer="layer5")


@pytest.mark.parametrize("layer", ["fc", "global_pool"])
def test_a_layer_without_a_map_is_refused(layer: str) -> None:
    with pytest.raises(ConfigError, match="no map of features"):
        grad_cam(built("test_resnet"), torch.zeros(1, 1, 64, 48), layer=layer)


def test_an_earlier_layer_has_finer_heat() -> None:
    model, images = built("test_resnet"), torch.randn(1, 1, 64, 48)
    fine, coarse = (grad_cam(model, images, layer=name) for name in ("layer1", "layer4"))
    assert np.abs(np.diff(fine[0], axis=0)).sum() > np.abs(np.diff(coarse[0], axis=0)).sum()


class Beside(TwoFilters):
    """Has a layer that nothing comes of, and one that is never asked."""

    def __init__(self) -> None:
        super().__init__()
        self.beside, self.idle = _Powers(), _Powers()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.beside(images)
        return super().forward(images)


@pytest.mark.parametrize("layer", ["beside", "idle"])
def test_a_layer_that_no_score_comes_of_is_refused(layer: str) -> None:
    with pytest.raises(ConfigError, match="no map of features"):
        grad_cam(Beside(), torch.zeros(1, 1, 4, 4), layer=layer)
