import json

import pytest

from dali_pipelines.errors import ConfigError
from trainer.networks.arguments import model_args, require_sound
from trainer.networks.settings import ModelSettings

ARGS = {"model_name": "test_resnet", "in_chans": 1, "num_classes": 1}
VIEWS = {"unit": "exam", "fusion": "transformer", "layers": 2}


def test_what_is_at_its_default_is_left_out() -> None:
    assert model_args(ModelSettings("test_resnet"), 1, (64, 48)) == ARGS
    assert model_args(ModelSettings("test_resnet", fusion="max", layers=3), 1, (64, 48)) == ARGS


def test_every_choice_is_in_the_arguments_as_a_plain_value() -> None:
    settings = ModelSettings(
        name="test_vit",
        pool="gem",
        head="mlp",
        hidden=64,
        drop=0.2,
        drop_path=0.1,
        padding="nominal",
        unit="exam",
        fusion="transformer",
        layers=2,
    )
    args = model_args(settings, 3, (96, 64), outputs=5)
    assert args == {
        "model_name": "test_vit",
        "in_chans": 3,
        "num_classes": 5,
        "img_size": [96, 64],  # only for what is built for one size
        "global_pool": "gem",
        "drop_rate": 0.2,
        "drop_path_rate": 0.1,
        "hidden": 64,
        "padding": "nominal",
        **VIEWS,
    }
    assert json.loads(json.dumps(args)) == args
    require_sound(args)


def test_layers_are_of_a_transformer_alone() -> None:
    settings = ModelSettings("test_resnet", unit="breast", fusion="max", layers=3)
    args = model_args(settings, 1, (64, 48))
    assert args == {**ARGS, "unit": "breast", "fusion": "max"}


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


@pytest.mark.parametrize(
    "changes",
    [
        {"model_name": "hf-hub:timm/resnet18"},
        {"model_name": "test_resnet.x:y"},
        {"model_name": 3},
        {"checkpoint_path": "/x.pth"},
        {"pretrained_cfg": {"url": "http://x"}},
        {"features_only": True},
        {"in_chans": 2},
        {"in_chans": True},
        {"num_classes": 0},
        {"num_classes": 1 << 40},
        {"img_size": [64]},
        {"img_size": [64, 1 << 40]},
        {"img_size": (64, 64)},
        {"global_pool": ""},
        {"global_pool": "default"},
        {"drop_rate": "0.1"},
        {"drop_rate": float("nan")},
        {"drop_path_rate": 1},
        {"hidden": -1},
        {"padding": "own"},
        {"unit": "exam"},
        {"fusion": "max"},
        {**VIEWS, "unit": "image"},
        {**VIEWS, "fusion": "mean"},
        {**VIEWS, "fusion": ["max"]},
        {**VIEWS, "layers": 1 << 20},
    ],
    ids=str,
)
def test_arguments_that_reach_beyond_the_network_are_refused(changes: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="does not describe a network"):
        require_sound({**ARGS, **changes})


def test_arguments_that_lack_something_are_refused() -> None:
    with pytest.raises(ConfigError, match="does not describe a network"):
        require_sound({"model_name": "test_resnet", "in_chans": 1})
