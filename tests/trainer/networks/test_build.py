from collections.abc import Callable

import pytest
import timm
import torch
from torch import nn

from dali_pipelines.errors import ConfigError
from trainer.networks.build import build_model, logits_of, outputs_of

ARGS = {"model_name": "test_resnet", "in_chans": 1, "num_classes": 1}
FAMILIES = ("test_resnet", "test_convnext", "test_convnext2", "test_efficientnet", "test_vit")
Build = Callable[..., nn.Module]


def test_a_network_of_one_image_is_timms_own(build: Build) -> None:
    model = build("test_resnet", channels=3, drop=0.2, drop_path=0.1)
    torch.manual_seed(0)
    plain = timm.create_model("test_resnet", num_classes=1, drop_rate=0.2, drop_path_rate=0.1)
    assert type(model) is type(plain)
    assert str(model) == str(plain)
    state = plain.state_dict()
    assert model.state_dict().keys() == state.keys()
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_an_image_has_one_logit(build: Build) -> None:
    logits = logits_of(build("test_resnet").eval(), torch.zeros(3, 1, 64, 48, dtype=torch.half))
    assert logits.shape == (3,)
    assert logits.dtype == torch.float32


def test_the_logit_is_the_first_of_the_outputs(build: Build) -> None:
    model, images = build("test_resnet", outputs=4).eval(), torch.randn(3, 1, 64, 48)
    outputs = outputs_of(model, images)
    assert outputs.shape == (3, 4)
    assert torch.equal(logits_of(model, images), outputs[:, 0])


@pytest.mark.parametrize("pool", ["default", "avg", "max", "avgmax", "gem"])
@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_has_every_pool(build: Build, name: str, pool: str) -> None:
    model = build(name, size=(64, 96), outputs=2, pool=pool, head="mlp", hidden=5, drop=0.1)
    outputs = outputs_of(model, torch.randn(2, 1, 64, 96))
    outputs.sum().backward()
    assert outputs.shape == (2, 2)
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_a_swin_takes_any_size_and_pool(build: Build) -> None:
    model = build("swin_tiny_patch4_window7_224", channels=3, size=(70, 45), pool="gem").eval()
    with torch.inference_mode():
        assert logits_of(model, torch.randn(1, 3, 70, 45)).isfinite().all()


def test_the_maximum_is_over_the_map(build: Build) -> None:
    model, images = build("test_resnet", pool="max").eval(), torch.randn(2, 1, 64, 48)
    features = model.forward_features(images)  # type: ignore[operator]
    by_hand = model.fc(features.amax((2, 3)))  # type: ignore[operator]
    torch.testing.assert_close(outputs_of(model, images), by_hand)


def test_a_vit_of_a_size_that_patches_do_not_divide_sees_zeros_beside_it(build: Build) -> None:
    odd, even = build("test_vit", size=(150, 90)).eval(), build("test_vit", size=(160, 96)).eval()
    even.load_state_dict(odd.state_dict())
    images = torch.randn(2, 1, 150, 90)
    padded = torch.zeros(2, 1, 160, 96)
    padded[:, :, :150, :90] = images
    torch.testing.assert_close(logits_of(odd, images), logits_of(even, padded))


def test_what_timm_cannot_build_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="timm cannot build"):
        build_model({**ARGS, "img_size": [64, 64]})


def test_arguments_are_checked_before_anything_is_built() -> None:
    with pytest.raises(ConfigError, match="does not describe a network"):
        build_model({**ARGS, "checkpoint_path": "/x.pth"})
