"""Files in the published layouts: recognized, loaded, and the same features as their own networks.

The networks of `published_*` are written from the papers and know nothing of timm.
"""

import argparse
import pickle
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file
from torch import nn

from tests.trainer.weights import (
    published_convnext,
    published_efficientnet,
    published_mirai,
    published_vit,
)
from tests.trainer.weights.conftest import OMEGACONF
from trainer.networks.build import build_model
from trainer.weights.load import WeightReport, load_weights
from trainer.weights.sets import recognize

Foreign = Callable[..., ModuleType]
Randomized = Callable[[nn.Module], nn.Module]


def _built(name: str, **args: Any) -> nn.Module:
    return build_model({"model_name": name, "in_chans": 3, "num_classes": 1, **args}).double()


def _features(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """What the network's head is given, by timm's own functions."""
    model.eval()
    return model.forward_head(model.forward_features(images), pre_logits=True)  # type: ignore[operator]


@torch.no_grad()
def _same_features(theirs: nn.Module, ours: nn.Module, size: tuple[int, int]) -> None:
    images = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1)).double()
    expected = theirs(images)
    assert expected.std() > 1e-3  # the network does not just say 0
    torch.testing.assert_close(_features(ours, images), expected, rtol=1e-9, atol=1e-9)


def _is_whole(report: WeightReport, known: str | None) -> None:
    assert report.share == 1
    assert not report.missing
    assert not report.unexpected
    assert (report.known and report.known.name) == known


def _mammo_clip(path: Path, encoder: nn.Module, lists: Any, name: str) -> None:
    """As Mammo-CLIP's trainer saves: both encoders, the optimizer and a config with live lists."""
    clip = nn.Module()
    clip.image_encoder = encoder
    clip.text_encoder = nn.Sequential(nn.Embedding(50, 8), nn.LayerNorm(8), nn.Linear(8, 8))
    clip.image_projection = nn.Linear(16, 8)
    clip.logit_scale = nn.Parameter(torch.tensor(2.6))
    optimizer = torch.optim.AdamW(clip.text_encoder.parameters())
    clip.text_encoder(torch.tensor([1])).sum().backward()
    optimizer.step()
    config = {"base": {"mean": 0.3089279}, "model": {"image_encoder": {"name": name}}}
    torch.save(
        {
            "model": clip.state_dict(),
            "optimizer": optimizer.state_dict(),
            "scheduler": {"base_lrs": [5e-5], "last_epoch": 10},
            "config": {**config, "transform": {"affine_scale": lists([0.8, 1.2])}},
            "epoch": 10,
            "train_loss": torch.tensor(0.7),
        },
        path,
    )


def test_mammo_clip_b2(tmp_path: Path, foreign: Foreign, randomized: Randomized) -> None:
    path = tmp_path / "b2-model-best-epoch-10.tar"
    omegaconf = foreign("omegaconf.listconfig", OMEGACONF)
    theirs = randomized(published_efficientnet.EfficientNet(*published_efficientnet.B2))
    _mammo_clip(path, theirs, omegaconf.ListConfig, "tf_efficientnetv2-detect")
    foreign()
    with pytest.raises((pickle.UnpicklingError, ModuleNotFoundError)):  # torch alone cannot
        torch.load(path, weights_only=True)
    ours = _built("tf_efficientnet_b2", global_pool="avg", padding="nominal")
    _is_whole(load_weights(ours, path), "mammo-clip-b2")
    _same_features(theirs, ours, (96, 72))
    # timm's own padding is another at this size, and the file's own at the nominal one
    _same_padding = _built("tf_efficientnet_b2", global_pool="avg")
    load_weights(_same_padding, path)
    with pytest.raises(AssertionError):
        _same_features(theirs, _same_padding, (96, 72))


def test_mammo_clip_b5_in_a_plain_file(tmp_path: Path, randomized: Randomized) -> None:
    path = tmp_path / "b5-model-best-epoch-7.tar"
    theirs = randomized(published_efficientnet.EfficientNet(*published_efficientnet.B5)).half()
    weights = {f"image_encoder.{name}": value for name, value in theirs.state_dict().items()}
    torch.save({"model": weights}, path, _use_new_zipfile_serialization=False)
    ours = _built("tf_efficientnet_b5", padding="nominal")
    _is_whole(load_weights(ours, path), "mammo-clip-b5")
    _same_features(theirs.double(), ours, (64, 64))


@pytest.mark.parametrize("wrapped", [True, False], ids=["DataParallel", "bare"])
@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "zip"])
def test_mirai_as_a_pickled_module(
    tmp_path: Path, foreign: Foreign, randomized: Randomized, wrapped: bool, zipped: bool
) -> None:
    path = tmp_path / "mgh_mammo_MIRAI_Base_May20_2019.p"
    onconet = foreign("onconet.models.custom_resnet", Path(published_mirai.__file__))
    module = randomized(onconet.CustomResnet(argparse.Namespace(dataset="mgh", cuda=True)))
    weights = {name: value.clone() for name, value in module.state_dict().items()}
    saved = nn.DataParallel(module) if wrapped else module
    torch.save(saved, path, _use_new_zipfile_serialization=zipped)
    foreign()
    ours = _built("resnet18", global_pool="max")
    report = load_weights(ours, path)
    _is_whole(report, "mirai")
    assert report.prefix == ("module._model." if wrapped else "_model.")
    theirs = published_mirai.CustomResnet(argparse.Namespace()).double().eval()
    theirs.load_state_dict(weights)
    _same_features(theirs, ours, (64, 96))


def _rsna_names() -> list[str]:
    """timm's names of a ConvNeXt-small with one output, written out from its description."""
    names = [f"stem.{i}.{kind}" for i in (0, 1) for kind in ("weight", "bias")]
    for stage, depth in enumerate((3, 3, 27, 3)):
        if stage:
            names += [
                f"stages.{stage}.downsample.{i}.{kind}"
                for i in (0, 1)
                for kind in ("weight", "bias")
            ]
        for block in range(depth):
            layers = ("conv_dw", "norm", "mlp.fc1", "mlp.fc2")
            ends = [
                "gamma",
                *(f"{layer}.{kind}" for layer in layers for kind in ("weight", "bias")),
            ]
            names += [f"stages.{stage}.blocks.{block}.{end}" for end in ends]
    return [*names, *(f"head.{p}.{k}" for p in ("norm", "fc") for k in ("weight", "bias"))]


def test_rsna_first_place(tmp_path: Path) -> None:
    path = tmp_path / "best_convnext_fold_0.pth.tar"
    model = timm.create_model("convnext_small", num_classes=1, pretrained=False).half()
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
    _is_whole(report, "rsna-1st")
    assert report.reshaped == ("stem.0.weight",)
    state = ours.state_dict()
    assert torch.equal(state["head.fc.weight"], head)  # the head is not taken
    assert torch.all(state["stem.0.weight"] == 1.5)  # 3 channels of 0.5 in one
    rest = set(state) - {"head.fc.weight", "head.fc.bias", "stem.0.weight"}
    assert all(bool((state[name] == 0.5).all()) for name in rest)  # the averaged weights


@pytest.mark.parametrize(("version", "name"), [(1, "convnext_tiny"), (2, "convnextv2_tiny")])
def test_convnext_of_its_authors(
    tmp_path: Path, randomized: Randomized, version: int, name: str
) -> None:
    path = tmp_path / f"{name}_22k_224_ema.pt"
    theirs = randomized(published_convnext.ConvNeXt(*published_convnext.TINY, version))
    torch.save({"model": theirs.state_dict()}, path)
    ours = _built(name)
    _is_whole(load_weights(ours, path), "convnextv2-tiny" if version == 2 else None)
    _same_features(theirs, ours, (64, 96))


def test_a_vision_transformer_of_the_same_size(tmp_path: Path, randomized: Randomized) -> None:
    path = tmp_path / "vit_base_patch16_224_in21k.pth"
    theirs = randomized(published_vit.VisionTransformer(64, 6, 2, 192, 4))
    torch.save(theirs.state_dict(), path)
    ours = _built("test_vit", img_size=[64, 64])
    report = load_weights(ours, path)
    _is_whole(report, None)
    assert report.reshaped == ()
    _same_features(theirs, ours, (64, 64))


def test_torchvision_resnext(tmp_path: Path, randomized: Randomized) -> None:
    torchvision = pytest.importorskip("torchvision")
    path = tmp_path / "resnext50_32x4d-1a0047aa.pth"
    theirs = randomized(torchvision.models.resnext50_32x4d(weights=None))
    torch.save(theirs.state_dict(), path)
    ours = _built("resnext50_32x4d")
    _is_whole(load_weights(ours, path), "resnext50-imagenet")
    theirs.fc = nn.Identity()
    _same_features(theirs, ours, (64, 96))


def test_torchvision_convnext(tmp_path: Path, randomized: Randomized) -> None:
    torchvision = pytest.importorskip("torchvision")
    path = tmp_path / "convnext_tiny-983f1562.pth"
    theirs = randomized(torchvision.models.convnext_tiny(weights=None))
    save_file(theirs.state_dict(), path)
    ours = _built("convnext_tiny")
    _is_whole(load_weights(ours, path), None)
    theirs.classifier[2] = nn.Identity()
    _same_features(theirs, ours, (64, 96))


def test_what_the_sets_bring_is_what_their_recipes_do() -> None:
    from dali_pipelines.recipe import load_recipe
    from trainer.weights.sets import SETS

    assert {known.recipe for known in SETS if known.recipe} == {"mammo-clip", "mirai", "rsna-1st"}
    for known in (known for known in SETS if known.recipe):
        resize = load_recipe(known.recipe).resize
        assert known.departures(resize.size, resize.means, resize.stds) == []


def test_recognition_needs_the_whole_of_a_set(tmp_path: Path) -> None:
    path = tmp_path / "w"
    theirs = published_efficientnet.EfficientNet(*published_efficientnet.B2).state_dict()
    save_file(theirs, path)  # ImageNet's, without Mammo-CLIP's prefix
    assert recognize(path) is None
    save_file({f"module.image_encoder.{name}": value for name, value in theirs.items()}, path)
    known = recognize(path)
    assert known is not None
    assert known.train_layer() == {
        "model": {"name": "tf_efficientnet_b2", "pool": "avg", "padding": "nominal"}
    }
