from collections.abc import Callable
from typing import Any

import pytest
import torch
from timm.layers.adaptive_avgmax_pool import SelectAdaptivePool2d
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from dali_pipelines.errors import ConfigError
from trainer.networks.pooling import GeneralizedMean, install_gem, use_steady_maximum

Build = Callable[..., nn.Module]


def pool_at(exponent: float) -> GeneralizedMean:
    pool = GeneralizedMean((2, 3), keepdim=False)
    with torch.no_grad():
        pool.p.fill_(exponent)
    return pool


def test_it_is_the_mean_the_cube_root_of_cubes_and_the_maximum() -> None:
    values = torch.tensor([[[[1.0, 2.0], [3.0, 6.0]]]])
    assert pool_at(1)(values).item() == pytest.approx(3.0)
    assert pool_at(3)(values).item() == pytest.approx((252 / 4) ** (1 / 3))  # 1 + 8 + 27 + 216
    assert pool_at(1000)(values).item() == pytest.approx(6.0, rel=0.002)


def test_below_the_mean_it_turns() -> None:
    values = torch.rand(1, 2, 3, 3)
    assert torch.equal(pool_at(0.5)(values), pool_at(1.5)(values))


def test_it_starts_at_three() -> None:
    assert GeneralizedMean((1,), keepdim=False).p.tolist() == [3.0]


def test_values_that_are_not_positive_count_as_nothing() -> None:
    values = torch.tensor([[[[-5.0, 0.0], [0.0, 4.0]]]])
    assert pool_at(2)(values).item() == pytest.approx(2.0)
    assert pool_at(2)(-values.abs()).item() == pytest.approx(1e-6)


@pytest.mark.parametrize("exponent", [1.5, 3.0, 9.0])
def test_gradients_are_those_of_the_formula(exponent: float) -> None:
    pool, values = pool_at(exponent), torch.rand(2, 3, 5, 4, requires_grad=True)
    weights = torch.randn(2, 3)
    (pool(values) * weights).sum().backward()
    exact = values.detach().double().requires_grad_()
    power = torch.tensor([exponent], dtype=torch.double, requires_grad=True)
    pooled = exact.clamp(min=1e-6).pow(power).mean((2, 3)).pow(1 / power)
    (pooled * weights).sum().backward()
    torch.testing.assert_close(values.grad.double(), exact.grad, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(pool.p.grad.double(), power.grad, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("scale", [1e-5, 1e15])
def test_no_power_overflows_or_vanishes(scale: float) -> None:
    pool, values = pool_at(40), (scale * torch.rand(2, 3, 5, 4)).requires_grad_()
    pooled = pool(values)
    pooled.sum().backward()
    torch.testing.assert_close(pooled, values.amax((2, 3)), rtol=0.1, atol=0)
    assert values.grad.isfinite().all()
    assert pool.p.grad.isfinite().all()


def test_the_type_stays_and_autocast_does_not_round_powers() -> None:
    values = torch.rand(2, 3, 5, 4)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(pool_at(3)(values), pool_at(3)(values.clone()))
        mixed = pool_at(3)(values)
    assert torch.equal(mixed, pool_at(3)(values))
    assert pool_at(3)(values.bfloat16()).dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("name", "exponent"),
    [
        ("test_resnet", "global_pool.p"),
        ("test_efficientnet", "global_pool.p"),
        ("test_convnext", "head.global_pool.p"),
        ("test_vit", "attn_pool.p"),
    ],
)
def test_only_the_exponent_is_new_in_the_network(build: Build, name: str, exponent: str) -> None:
    own = build(name, pool="avg").state_dict().keys()
    assert build(name, pool="gem").state_dict().keys() == own | {exponent}


def test_at_exponent_one_it_is_the_average_of_positive_maps(build: Build) -> None:
    gem, avg = build("test_resnet", pool="gem").eval(), build("test_resnet", pool="avg").eval()
    gem.load_state_dict(avg.state_dict(), strict=False)
    nn.init.ones_(gem.get_parameter("global_pool.p"))
    images = torch.randn(2, 1, 64, 48)
    torch.testing.assert_close(gem(images), avg(images), rtol=1e-4, atol=1e-5)  # its maps are ReLUs


def test_a_network_without_a_pooling_is_refused() -> None:
    with pytest.raises(ConfigError, match="gem does not fit a Linear: it has 0 poolings"):
        install_gem(nn.Linear(2, 1))


class Seen(TorchDispatchMode):
    """Notes the name of every operation of torch, forward and backward."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(func.overloadpacket.__name__)
        return func(*args, **(kwargs or {}))


# Those that the documentation of torch.use_deterministic_algorithms says to raise on a GPU and
# that a network of images could hold. The average over a whole map is a `mean` to torch.
UNSTEADY = {
    *("adaptive_max_pool2d_backward", "_adaptive_avg_pool2d_backward", "reflection_pad2d_backward"),
    *("upsample_bilinear2d_backward", "upsample_bicubic2d_backward", "grid_sampler_2d_backward"),
}


@pytest.mark.parametrize("pool", ["default", "avg", "max", "avgmax", "gem"])
@pytest.mark.parametrize("name", ["test_resnet", "test_convnext", "test_efficientnet", "test_vit"])
def test_every_pool_can_be_deterministic_on_a_gpu(build: Build, name: str, pool: str) -> None:
    model, images = build(name, pool=pool), torch.randn(2, 1, 64, 48)
    with Seen() as seen:
        model(images).sum().backward()
    assert "convolution_backward" in seen.names
    assert not seen.names & UNSTEADY


@pytest.mark.parametrize("flatten", [True, False])
@pytest.mark.parametrize("kind", ["max", "avgmax"])
def test_the_steady_maximum_is_that_of_timm(kind: str, flatten: bool) -> None:
    own = SelectAdaptivePool2d(pool_type=kind, flatten=flatten)
    model = nn.Sequential(nn.ReLU(), own)
    use_steady_maximum(model)
    maps = torch.randn(2, 3, 5, 4, requires_grad=True)
    pooled, wanted = model(maps), own(maps.relu())
    torch.testing.assert_close(pooled, wanted)
    weights = torch.randn(pooled.shape)
    found = torch.autograd.grad((pooled * weights).sum(), maps)
    torch.testing.assert_close(found, torch.autograd.grad((wanted * weights).sum(), maps))
