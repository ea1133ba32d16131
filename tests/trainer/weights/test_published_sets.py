"""Files in the published layouts: recognized, loaded, and the same features as their own networks.

The networks of `published_*` are written from the papers and know nothing of timm. What is too
large for here is in tests/evidence/test_published_weights.py.
"""

import argparse
import pickle
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import timm
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch import nn
from torchvision.models.convnext import CNBlockConfig
from torchvision.models.convnext import ConvNeXt as TorchvisionConvNeXt

from dali_pipelines.recipe import load_recipe
from tests.trainer.weights import (
    published_convnext,
    published_efficientnet,
    published_mirai,
    published_vit,
)
from tests.trainer.weights.layouts import (
    OMEGACONF,
    built,
    difference,
    is_whole,
    randomized,
    save_mammo_clip,
)
from trainer.weights.load import load_weights
from trainer.weights.namings import namings
from trainer.weights.sets import SETS, recognize, recognize_shapes

Foreign = Callable[..., ModuleType]

EXACT = 1e-9  # both sides are float64
ATTO = ((2, 2, 6, 2), (40, 80, 160, 320))


def test_mammo_clip_b2(tmp_path: Path, foreign: Foreign) -> None:
    path = tmp_path / "b2-model-best-epoch-10.tar"
    lists = foreign("omegaconf.listconfig", OMEGACONF).ListConfig
    theirs = randomized(published_efficientnet.EfficientNet(*published_efficientnet.B2))
    save_mammo_clip(path, theirs, lists, "tf_efficientnetv2-detect")
    foreign()
    with pytest.raises(pickle.UnpicklingError, match="omegaconf"):  # torch alone cannot
        torch.load(path, weights_only=True)
    ours = built("tf_efficientnet_b2", global_pool="avg", padding="nominal")
    assert is_whole(load_weights(ours, path), "mammo-clip-b2")
    assert difference(theirs, ours, (96, 72)) < EXACT
    # the padding of the nominal size is another than timm's own at this one
    same_padding = built("tf_efficientnet_b2", global_pool="avg")
    same_padding.load_state_dict(ours.state_dict())
    assert difference(theirs, same_padding, (96, 72)) > 0.01


@pytest.mark.parametrize(
    ("wrapped", "zipped"), [(True, False), (False, True)], ids=["DataParallel-plain", "bare-zip"]
)
def test_mirai_as_a_pickled_module(
    tmp_path: Path, foreign: Foreign, wrapped: bool, zipped: bool
) -> None:
    path = tmp_path / "mgh_mammo_MIRAI_Base_May20_2019.p"
    onconet = foreign("onconet.models.custom_resnet", Path(published_mirai.__file__))
    module = randomized(onconet.CustomResnet(argparse.Namespace(dataset="mgh", cuda=True)))
    weights = module.state_dict()
    saved = nn.DataParallel(module) if wrapped else module
    torch.save(saved, path, _use_new_zipfile_serialization=zipped)
    foreign()
    with pytest.raises(pickle.UnpicklingError, match=r"onconet|DataParallel"):
        torch.load(path, weights_only=True)
    ours = built("resnet18", global_pool="max")
    report = load_weights(ours, path)
    assert is_whole(report, "mirai")
    assert report.prefix == ("module._model." if wrapped else "_model.")
    theirs = published_mirai.CustomResnet(argparse.Namespace()).double().eval()
    theirs.load_state_dict(weights)
    assert difference(theirs, ours, (64, 96)) < EXACT


@pytest.mark.parametrize(("version", "name"), [(1, "convnext_atto"), (2, "convnextv2_atto")])
def test_convnext_of_its_authors(tmp_path: Path, version: int, name: str) -> None:
    path = tmp_path / f"{name}_1k_224_ema.pt"
    theirs = randomized(published_convnext.ConvNeXt(*ATTO, version))
    torch.save({"model": theirs.state_dict()}, path)
    ours = built(name)
    assert is_whole(load_weights(ours, path), None)
    assert difference(theirs, ours, (64, 96)) < EXACT


def test_convnext_of_torchvision(tmp_path: Path) -> None:
    path = tmp_path / "convnext.pth"
    dims = (*ATTO[1], None)
    blocks = [CNBlockConfig(dims[i], dims[i + 1], depth) for i, depth in enumerate(ATTO[0])]  # type: ignore[arg-type]
    theirs = randomized(TorchvisionConvNeXt(blocks))
    save_file(theirs.state_dict(), path)
    ours = built("convnext_atto")
    assert is_whole(load_weights(ours, path), None)
    theirs.classifier[2] = nn.Identity()
    assert difference(theirs, ours, (64, 96)) < EXACT


def test_a_vision_transformer_with_pre_logits(tmp_path: Path) -> None:
    path = tmp_path / "vit_base_patch16_224_in21k.pth"
    theirs = randomized(published_vit.VisionTransformer(64, 6, 2, 192, 4))
    torch.save(theirs.state_dict(), path)
    ours = built("test_vit", img_size=[64, 64])
    report = load_weights(ours, path)
    assert is_whole(report, None)
    assert report.reshaped == ()
    assert difference(theirs, ours, (64, 64)) < EXACT


@pytest.mark.parametrize(
    ("network", "name"),
    [
        (lambda: timm.create_model("convnext_small", pretrained=False, num_classes=1), "rsna-1st"),
        (lambda: timm.create_model("convnext_small", pretrained=False), "convnext-small"),
        (lambda: timm.create_model("convnextv2_tiny", pretrained=False), "convnextv2-tiny"),
        (lambda: published_convnext.ConvNeXt(*published_convnext.TINY, 2), "convnextv2-tiny"),
        (
            lambda: timm.create_model("vit_base_patch16_224", pretrained=False, num_classes=21843),
            "vit-base-in21k",
        ),
        (lambda: timm.create_model("resnet18", pretrained=False), "resnet18-imagenet"),
        (lambda: timm.create_model("resnext50_32x4d", pretrained=False), "resnext50-imagenet"),
        (lambda: timm.create_model("convnext_base", pretrained=False), None),
        (lambda: timm.create_model("convnext_tiny", pretrained=False, num_classes=1), None),
        (lambda: timm.create_model("convnextv2_nano", pretrained=False), None),
        (lambda: timm.create_model("resnet34", pretrained=False), None),
        (lambda: timm.create_model("resnet50", pretrained=False), None),
        (lambda: timm.create_model("vit_base_patch16_224", pretrained=False), None),
    ],
)
def test_sets_are_known_by_shapes(network: Callable[[], nn.Module], name: str | None) -> None:
    with torch.device("meta"):
        shapes = {f"module.{k}": tuple(v.shape) for k, v in network().state_dict().items()}
    known = recognize_shapes(shapes)
    assert (known and known.name) == name
    if known:  # the network it names is the one it fits
        with torch.device("meta"):
            timm.create_model(known.model, pretrained=False)


def test_recognition_needs_the_prefix_of_a_set(tmp_path: Path) -> None:
    path = tmp_path / "w"
    with torch.device("meta"):
        network = published_efficientnet.EfficientNet(*published_efficientnet.B2)
    weights = {name: torch.zeros(value.shape) for name, value in network.state_dict().items()}
    save_file(weights, path)  # of ImageNet
    assert recognize(path) is None
    save_file({f"module.image_encoder.{name}": v for name, v in weights.items()}, path)
    known = recognize(path)
    assert known is not None
    assert known.train_layer() == {
        "model": {"name": "tf_efficientnet_b2", "pool": "avg", "padding": "nominal"}
    }


def test_what_the_sets_bring_is_what_their_recipes_do() -> None:
    assert {known.recipe for known in SETS if known.recipe} == {"mammo-clip", "mirai", "rsna-1st"}
    for known in (known for known in SETS if known.recipe):
        resize = load_recipe(known.recipe).resize
        assert known.departures(resize.size, resize.means, resize.stds) == []
        assert known.departures((512, 256), (0.5,), (0.5,)) == [
            f"size 512 x 256 for {known.size[0]} x {known.size[1]}",
            f"mean 0.500 for {sum(known.mean) / 3:.3f}",
            f"std 0.500 for {sum(known.std) / 3:.3f}",
        ]


FRAGMENTS = st.sampled_from(
    [
        *("_blocks", "_conv_stem", "_bn0", "_bn1", "_fc", "features", "classifier", "block"),
        *("downsample_layers", "stages", "layer1_0", "downsampler", "conv1", "grn", "gamma"),
        *("0", "1", "2", "3", "7", "9" * 5000, "fc1", "weight", "\u0663", "", "x"),
    ]
)


@given(st.lists(st.lists(FRAGMENTS, min_size=1, max_size=7).map(".".join), max_size=30))
@settings(deadline=None)
def test_names_of_no_network_are_left_out_or_renamed_but_never_fatal(names: list[str]) -> None:
    for naming in namings():
        assert set(naming.rename(names)) <= set(names)


def test_a_number_of_blocks_that_no_efficientnet_has_gives_no_blocks() -> None:
    names = ["_conv_stem.weight", "_blocks.0._bn1.weight", "_blocks.x.y.z"]
    naming = next(n for n in namings() if n.name == "efficientnet_pytorch")
    assert naming.rename(names) == {"_conv_stem.weight": "conv_stem.weight"}


def test_efficientnet_of_torchvision(tmp_path: Path) -> None:
    path = tmp_path / "efficientnet_b0_rwightman-7f5810bc.pth"
    theirs = randomized(torchvision.models.efficientnet_b0(weights=None))
    torch.save(theirs.state_dict(), path)
    ours = built("efficientnet_b0")
    assert is_whole(load_weights(ours, path), None)
    theirs.classifier = nn.Identity()
    assert difference(theirs, ours, (64, 96)) < EXACT
