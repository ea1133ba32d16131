from collections.abc import Callable

import pytest
import timm
import torch
from timm.optim import param_groups_layer_decay
from torch import nn

from trainer.networks.build import logits_of, outputs_of
from trainer.networks.views import MultiView, backbone_of

Build = Callable[..., nn.Module]
KINDS = ("concat", "max", "attention", "transformer")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("unit", "views"), [("breast", 2), ("exam", 4)])
def test_a_unit_has_one_row_of_outputs(build: Build, unit: str, views: int, kind: str) -> None:
    model = build("test_convnext", outputs=3, unit=unit, fusion=kind)
    outputs = outputs_of(model, torch.randn(2 * views, 1, 64, 48), torch.ones(2, views).bool())
    outputs.sum().backward()
    assert outputs.shape == (2, 3)
    assert all(p.grad is not None for p in model.parameters())


def test_the_views_of_a_unit_are_images_in_a_row(build: Build) -> None:
    model = build("test_resnet", unit="exam", fusion="max").eval()
    images, present = torch.randn(8, 1, 64, 48), torch.ones(2, 4).bool()
    features = model.backbone(images)  # type: ignore[operator]
    by_hand = torch.stack([model.head(features[i : i + 4].amax(0)) for i in (0, 4)])  # type: ignore[operator]
    torch.testing.assert_close(outputs_of(model, images, present), by_hand)


@pytest.mark.parametrize("filler", [0.0, 1e4, float("nan")])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_in_an_empty_slot_changes_no_score(build: Build, kind: str, filler: float) -> None:
    model = build("test_convnext", unit="breast", fusion=kind).eval()
    images, present = torch.randn(4, 1, 64, 48), torch.tensor([[True, True], [False, True]])
    filled = images.clone()
    filled[2] = filler
    expected = logits_of(model, images, present)
    torch.testing.assert_close(logits_of(model, filled, present), expected)


def test_a_missing_view_is_not_the_same_as_an_image(build: Build) -> None:
    model = build("test_convnext", unit="breast").eval()
    images = torch.randn(2, 1, 64, 48)
    both = logits_of(model, images, torch.tensor([[True, True]]))
    one = logits_of(model, images, torch.tensor([[True, False]]))
    assert not torch.allclose(both, one)


def test_the_backbone_is_timms_without_its_last_layer(build: Build) -> None:
    model = build("test_resnet", unit="breast")
    plain = timm.create_model("test_resnet", in_chans=1, num_classes=0)
    assert backbone_of(model).state_dict().keys() == plain.state_dict().keys()
    single = build("test_resnet")
    assert backbone_of(single) is single


def test_dropout_is_of_the_fused_vector(build: Build) -> None:
    model = build("test_convnext", unit="breast", drop=0.5, head="mlp", hidden=9)
    assert isinstance(model, MultiView)
    dropping = [n for n, m in model.named_modules() if isinstance(m, nn.Dropout) and m.p]
    assert dropping == ["head.2", "drop"]


@pytest.mark.parametrize("pool", ["default", "gem"])
@pytest.mark.parametrize("name", ["test_vit", "test_convnext", "test_resnet", "test_efficientnet"])
def test_layers_learn_at_the_rates_of_the_same_network_for_images(
    build: Build, name: str, pool: str
) -> None:
    single = build(name, pool=pool)
    double = build(name, pool=pool, unit="exam", fusion="transformer")

    def scales(model: nn.Module) -> dict[str, float]:
        groups = param_groups_layer_decay(model, layer_decay=0.5)
        names = {id(p): name for name, p in model.named_parameters()}
        return {names[id(p)]: group["lr_scale"] for group in groups for p in group["params"]}

    alone, shared = scales(single), scales(double)
    assert {shared[n] for n in shared if not n.startswith("backbone.")} == {1.0}
    both = {n: s for n, s in alone.items() if f"backbone.{n}" in shared}
    assert {n: shared[f"backbone.{n}"] for n in both} == both


def test_embeddings_do_not_decay(build: Build) -> None:
    model = build("test_vit", unit="exam", fusion="transformer")
    spared = model.no_weight_decay()  # type: ignore[operator]
    assert {"backbone.pos_embed", "fusion.unit", "fusion.view", "fusion.side"} <= spared
    own = build("test_vit").no_weight_decay()  # type: ignore[operator]
    assert {f"backbone.{name}" for name in own} <= spared
