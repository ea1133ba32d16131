"""Files of published sets at full size give the features that their own networks give.

The networks are written from the papers, or are torchvision's; numbers are random, since no weight
file can be had here. In float64, at a size where nominal and own padding differ.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
import torchvision
from torch import nn

from tests.trainer.weights import published_convnext, published_efficientnet, published_mirai
from tests.trainer.weights.layouts import built, difference, is_whole, randomized
from trainer.networks.build import build_model
from trainer.weights.load import load_weights

pytestmark = pytest.mark.slow

SIZE = (200, 120)
ODD = (97, 97)  # odd before every stride: where timm's "same" padding is torchvision's


NETWORKS: dict[str, tuple[Callable[[], Any], str, dict[str, Any]]] = {
    "mammo-clip-b2": (
        lambda: published_efficientnet.EfficientNet(*published_efficientnet.B2),
        "tf_efficientnet_b2",
        {"padding": "nominal"},
    ),
    "mammo-clip-b5": (
        lambda: published_efficientnet.EfficientNet(*published_efficientnet.B5),
        "tf_efficientnet_b5",
        {"padding": "nominal"},
    ),
    "mirai": (
        lambda: published_mirai.CustomResnet(argparse.Namespace()),
        "resnet18",
        {"global_pool": "max"},
    ),
    "convnextv2-tiny": (
        lambda: published_convnext.ConvNeXt(*published_convnext.TINY, 2),
        "convnextv2_tiny",
        {},
    ),
    "EfficientNetV2-S of torchvision": (
        lambda: torchvision.models.efficientnet_v2_s(weights=None),
        "tf_efficientnetv2_s",
        {},
    ),
    "resnet18-imagenet": (lambda: torchvision.models.resnet18(weights=None), "resnet18", {}),
    "resnext50-imagenet": (
        lambda: torchvision.models.resnext50_32x4d(weights=None),
        "resnext50_32x4d",
        {},
    ),
}


@torch.no_grad()
def test_features_are_those_of_their_own_networks(
    tmp_path: Path, full: bool, record_evidence: Callable[[str, dict[str, Any]], None]
) -> None:
    facts = {}
    for name in NETWORKS if full else ("mammo-clip-b5", "resnext50-imagenet"):
        make, ours_name, args = NETWORKS[name]
        theirs, ours, path = randomized(make()), built(ours_name, **args), tmp_path / "weights"
        prefix = "image_encoder." if name.startswith("mammo-clip") else "module."
        weights = {f"{prefix}{key}": value for key, value in theirs.state_dict().items()}
        torch.save({"model": weights}, path, _use_new_zipfile_serialization=False)
        report = load_weights(ours, path)
        is_torchvision = name.endswith(("imagenet", "torchvision"))
        assert is_whole(report, None if name.endswith("torchvision") else name)
        if is_torchvision:
            setattr(theirs, "fc" if name.endswith("imagenet") else "classifier", nn.Identity())
        facts[name] = {
            "tensors": len(report.matched),
            "numbers": sum(ours.state_dict()[key].numel() for key in report.matched),
            "largest_difference_in_deviations": difference(
                theirs, ours, ODD if name.startswith("EfficientNetV2") else SIZE
            ),
        }
        assert facts[name]["largest_difference_in_deviations"] < 1e-9
    record_evidence(
        "published_weights", {"input": list(SIZE), "odd_input": list(ODD), "sets": facts}
    )


def _rsna_names() -> list[str]:
    """The published names of a ConvNeXt-small with one output, written out."""
    names = [f"stem.{i}.{kind}" for i in (0, 1) for kind in ("weight", "bias")]
    for stage, depth in enumerate((3, 3, 27, 3)):
        if stage:
            layers = [f"downsample.{i}.{kind}" for i in (0, 1) for kind in ("weight", "bias")]
            names += [f"stages.{stage}.{layer}" for layer in layers]
        for block in range(depth):
            layers = [
                f"{layer}.{kind}"
                for layer in ("conv_dw", "norm", "mlp.fc1", "mlp.fc2")
                for kind in ("weight", "bias")
            ]
            names += [f"stages.{stage}.blocks.{block}.{end}" for end in ("gamma", *layers)]
    return [*names, *(f"head.{p}.{k}" for p in ("norm", "fc") for k in ("weight", "bias"))]


def test_the_first_place_of_rsna_2023_gives_its_averaged_weights(tmp_path: Path) -> None:
    path = tmp_path / "best_convnext_fold_0.pth.tar"
    model = timm.create_model("convnext_small", num_classes=1, pretrained=False)
    assert sorted(model.state_dict()) == sorted(_rsna_names())
    averaged = {name: torch.full_like(v, 0.5) for name, v in model.state_dict().items()}
    content = {
        "epoch": 8,
        "arch": "convnext_small.fb_in22k_ft_in1k_384",
        "state_dict": model.state_dict(),
        "optimizer": {"state": {}, "param_groups": [{"lr": 1e-5, "params": [0]}]},
        "version": 2,
        "args": argparse.Namespace(exp="convnext", lr=1e-5, sched=None),
        "amp_scaler": {"scale": 65536.0},
        "state_dict_ema": averaged,
        "metric": 0.49,
    }
    torch.save(content, path)
    ours = build_model(
        {"model_name": "convnext_small", "in_chans": 1, "num_classes": 1, "global_pool": "max"}
    )
    head = ours.get_parameter("head.fc.weight").clone()
    report = load_weights(ours, path)
    assert is_whole(report, "rsna-1st")
    assert report.reshaped == ("stem.0.weight",)
    state = ours.state_dict()
    assert torch.equal(state["head.fc.weight"], head)  # a head is not taken
    assert torch.all(state["stem.0.weight"] == 1.5)  # 3 channels of 0.5 in one
    rest = set(state) - {"head.fc.weight", "head.fc.bias", "stem.0.weight"}
    assert all(bool((state[name] == 0.5).all()) for name in rest)
