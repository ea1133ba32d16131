import socket
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import save_file

from dali_pipelines.errors import CheckpointError, ConfigError
from trainer.networks.build import build_model, load_pretrained, logits_of, model_args
from trainer.networks.settings import ModelSettings

ARGS = {"model_name": "test_resnet", "in_chans": 1, "num_classes": 1}


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a model reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_a_network_gives_one_logit_an_image() -> None:
    args = model_args(ModelSettings("test_resnet", drop=0.2), 1, (64, 48))
    assert args == {**ARGS, "drop_rate": 0.2}
    logits = logits_of(build_model(args).eval(), torch.zeros(3, 1, 64, 48))
    assert logits.shape == (3,)
    assert logits.dtype == torch.float32


def test_the_feature_map_is_pooled_as_asked() -> None:
    args = model_args(ModelSettings("test_resnet", pool="max"), 1, (64, 48))
    assert args == {**ARGS, "global_pool": "max"}
    assert build_model(args).get_submodule("global_pool").pool_type == "max"


def test_a_network_of_one_size_is_built_for_that_of_the_recipe() -> None:
    args = model_args(ModelSettings("test_vit"), 3, (96, 64))
    assert args["img_size"] == [96, 64]
    assert logits_of(build_model(args).eval(), torch.zeros(2, 3, 96, 64)).shape == (2,)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("test_resnt", "Did you mean 'test_resnet'"),
        ("hf-hub:timm/resnet18", "timm"),
        ("local-dir:/tmp", "timm"),
        ("qqqq", "list_models"),
    ],
)
def test_an_unknown_network_is_refused(name: str, hint: str) -> None:
    with pytest.raises(ConfigError, match=f"timm has no model .*{hint}"):
        model_args(ModelSettings(name), 1, (64, 64))


def test_what_timm_cannot_build_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="timm cannot build"):
        build_model({**ARGS, "img_size": [64, 64]})


@pytest.mark.parametrize(
    "changes",
    [
        {"model_name": "hf-hub:timm/resnet18"},
        {"model_name": "test_resnet.x:y"},
        {"model_name": 3},
        {"checkpoint_path": "/x.pth"},
        {"pretrained_cfg": {"url": "http://x"}},
    ],
)
def test_arguments_that_reach_beyond_the_network_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="does not describe a network"):
        build_model({**ARGS, **changes})


@pytest.mark.parametrize("name", ["w.safetensors", "w.pt", "nested.pt"])
def test_weights_of_a_file_are_taken_all_but_the_head(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    weights = timm.create_model("test_resnet", in_chans=3, num_classes=7).state_dict()
    if path.suffix == ".safetensors":
        save_file(weights, path)
    else:
        torch.save({"state_dict": weights, "epoch": 3} if name == "nested.pt" else weights, path)
    model = build_model(ARGS)
    head = model.get_classifier().weight.clone()  # type: ignore[operator]
    load_pretrained(model, path, channels=1)
    loaded = model.state_dict()
    assert torch.equal(loaded["layer1.0.conv1.weight"], weights["layer1.0.conv1.weight"])
    assert torch.equal(model.get_classifier().weight, head)  # type: ignore[operator]
    # a gray image repeated over 3 channels gives the same as the gray image on the folded stem
    folded = weights["conv1.0.weight"].sum(1, keepdim=True)
    torch.testing.assert_close(loaded["conv1.0.weight"], folded)


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.pt"
    torch.save(timm.create_model("test_vit").state_dict(), path)
    with pytest.raises(CheckpointError, match=r"another network: .*weights are missing"):
        load_pretrained(build_model(ARGS), path, channels=1)
    torch.save({"model": {"epoch": 3}}, path)
    with pytest.raises(CheckpointError, match="holds no weights"):
        load_pretrained(build_model(ARGS), path, channels=1)
