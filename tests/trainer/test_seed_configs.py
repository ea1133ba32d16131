"""configs/train of published systems: their facts, and the command that each file opens with.

The facts are from the code of each system, or from its write-up where the file says so.
"""

import shlex
from functools import reduce
from pathlib import Path
from typing import Any, Final

import pytest
import torch

from cli.resolve import split_sets, train_layers
from cli.train import command
from dali_pipelines.recipe import Recipe, load_recipe
from dali_pipelines.settings import build
from trainer.augment.presets import load_preset
from trainer.networks.arguments import model_args
from trainer.networks.build import build_model
from trainer.optim.frozen import apply_frozen
from trainer.optim.optimizers import build_optimizer
from trainer.settings import TrainSettings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "configs" / "train"
OURS: Final = ("default", "demo")

_SPR: Final = {
    "epochs": 15, "seed": 42, "monitor": "image/auroc", "patience": 10,
    "model.head": "mlp", "model.hidden": 512, "model.drop": 0.1, "model.unit": "image",
    "data.batch": 12, "data.positive_share": None,
    "loss.kind": "bce", "loss.scale": 10.0, "loss.pos_weight": 1.0, "loss.tasks.used": (),
    "optim.name": "adam", "optim.lr": 1e-4, "optim.betas": (0.5, 0.999),
    "optim.weight_decay": 0.0, "optim.schedule": "plateau", "optim.factor": 0.5,
    "optim.patience": 3, "optim.warmup_share": 0.0, "optim.accumulate": 32,
    "optim.clip_norm": 1.0, "average.ema": 0.0, "speed.amp": "off", "augment.preset": "spr-1st",
}  # fmt: skip
_RSNA: Final = {
    "model.name": "convnext_small", "model.pool": "max", "model.drop": 0.5,
    "model.drop_path": 0.2, "model.head": "linear", "monitor": "breast/pf1",
    "data.batch": 8, "data.positive_share": 1 / 8, "data.balance": "block",
    "loss.kind": "bce", "loss.smooth_side": "positive", "optim.name": "sgd",
    "optim.momentum": 0.9, "optim.weight_decay": 2e-5, "optim.schedule": "cosine",
    "average.ema": 0.9998, "average.ema_warmup": False, "augment.preset": "rsna-1st",
}  # fmt: skip

FACTS: Final[dict[str, dict[str, Any]]] = {
    "spr-1st-b2": _SPR
    | {"model.name": "tf_efficientnet_b2", "model.pool": "avg", "model.padding": "nominal"},
    "spr-1st-b5": _SPR
    | {"model.name": "tf_efficientnet_b5", "model.pool": "avg", "model.padding": "nominal"},
    "spr-1st-resnet18": _SPR | {"model.name": "resnet18", "model.pool": "avg"},
    "spr-1st-convnext-1536": _SPR | {"model.name": "convnext_small", "model.pool": "max"},
    "spr-1st-convnext-2048": _SPR | {"model.name": "convnext_small", "model.pool": "max"},
    "rsna-1st": _RSNA
    | {"epochs": 31, "optim.lr": 3e-3, "optim.min_lr": 5e-5, "optim.warmup_lr": 3e-5}
    | {"loss.smooth": 0.1},
    "rsna-1st-stage1": _RSNA
    | {"epochs": 25, "optim.lr": 1e-3, "optim.min_lr": 1e-5, "optim.warmup_lr": 1e-5}
    | {"loss.smooth": 0.2},
    "rsna-1st-stage2": _RSNA
    | {"epochs": 17, "optim.lr": 1e-3, "optim.min_lr": 5e-5, "optim.warmup_share": 0.0}
    | {"loss.smooth": 0.1},
    "gavranovic": {
        "epochs": 8, "patience": 3, "model.name": "resnext50_32x4d", "model.hidden": 64,
        "model.drop": 0.3, "data.batch": 32, "data.balance": "draw", "loss.pos_weight": 5.0,
        "optim.name": "adam", "optim.lr": 4e-5, "optim.schedule": "cosine",
        "augment.preset": "gavranovic",
    },
    "lecture": {
        "model.name": "convnextv2_tiny", "model.pool": "avg", "model.drop": 0.3,
        "data.positive_share": None, "data.keep_negatives": 0.34, "loss.pos_weight": 5.0,
        "optim.name": "adamw", "optim.eps": 1e-6,
    },
    "stemgene": {
        "epochs": 20, "patience": 8, "model.name": "vit_base_patch16_224", "model.stem": "mean",
        "data.batch": 16, "data.positive_share": None, "optim.name": "momentum",
        "optim.momentum": 0.9,
        "optim.lr": 3e-3, "optim.min_lr": 3e-5, "optim.weight_decay": 5e-5,
        "optim.schedule": "cosine", "optim.warmup_share": 0.0, "augment.preset": "stemgene",
    },
}  # fmt: skip
RECIPES: Final = {  # name, (H, W) px and channels
    "spr-1st-b2": ("spr-1st", (1536, 768), 1),
    "spr-1st-b5": ("spr-1st", (1536, 768), 1),
    "spr-1st-resnet18": ("spr-1st", (1536, 768), 1),
    "spr-1st-convnext-1536": ("spr-1st", (1536, 768), 1),
    "spr-1st-convnext-2048": ("spr-1st", (2048, 1024), 1),
    "rsna-1st": ("rsna-1st-fixed", (2048, 1024), 3),
    "rsna-1st-stage1": ("rsna-1st-fixed", (2048, 1024), 3),
    "rsna-1st-stage2": ("rsna-1st-fixed", (2048, 1024), 3),
    "gavranovic": ("gavranovic-fixed", (512, 512), 3),
    "lecture": ("lecture", (1344, 768), 3),
    "stemgene": ("stemgene", (224, 224), 1),
}
EPOCHS_OF_WARMUP: Final = {"rsna-1st": 4, "rsna-1st-stage1": 4, "gavranovic": 1}


def _lines(name: str) -> list[str]:
    return (FOLDER / f"{name}.yaml").read_text(encoding="utf-8").splitlines()


def _words(name: str) -> list[str]:
    """The words of the command that the file opens with, over as many lines as it has."""
    text = "\n".join(line.removeprefix("#") for line in _lines(name))
    return shlex.split(text.replace("\\\n", " ").splitlines()[0])


def _resolved(name: str) -> tuple[TrainSettings, Recipe, dict[str, Any]]:
    """Settings and recipe of that command, and what it was given; weights are left aside."""
    given = command.make_context("train", _words(name)[2:]).params
    of_train, of_recipe = split_sets(given["sets"])
    settings = build(TrainSettings, train_layers(ROOT / given["config"], of_train))[0]
    return settings, load_recipe(given["recipe"], of_recipe), given


def _value(settings: TrainSettings, dotted: str) -> Any:
    return reduce(getattr, dotted.split("."), settings)


def test_every_file_but_ours_has_its_facts_here() -> None:
    names = {path.stem for path in FOLDER.glob("*.yaml")}
    assert names - set(OURS) == set(FACTS) == set(RECIPES)


@pytest.mark.parametrize("name", FACTS)
def test_the_file_says_what_the_facts_are(name: str) -> None:
    settings, _, _ = _resolved(name)
    found = {dotted: _value(settings, dotted) for dotted in FACTS[name]}
    assert found == FACTS[name]


@pytest.mark.parametrize("name", FACTS)
def test_its_command_is_whole(name: str) -> None:
    assert _words(name)[:2] == ["mammo", "train"]
    _, recipe, given = _resolved(name)
    assert (recipe.name, recipe.size, recipe.channels) == RECIPES[name]
    assert given["config"] == Path("configs/train") / f"{name}.yaml"
    assert given["out"] == Path("runs") / name
    assert given["pretrained"]
    assert given["fold"] is not None


@pytest.mark.parametrize("name", FACTS)
def test_it_says_what_is_corrected_and_what_is_not_reproduced(name: str) -> None:
    comments = [line for line in _lines(name) if line.startswith("# ")]
    for part in ("# About: ", "# Corrected here: ", "# Not reproduced: "):
        assert sum(line.startswith(part) for line in comments) == 1


@pytest.mark.parametrize(("name", "epochs"), EPOCHS_OF_WARMUP.items())
def test_warm_up_lasts_whole_epochs(name: str, epochs: int) -> None:
    settings, _, _ = _resolved(name)
    assert settings.optim.warmup_share * settings.epochs == pytest.approx(epochs, abs=0.005)


@pytest.mark.parametrize("name", [name for name in FACTS if "augment.preset" in FACTS[name]])
def test_its_augmentation_is_the_preset_alone(name: str) -> None:
    settings, _, _ = _resolved(name)
    assert settings.augment == load_preset(settings.augment.preset)


@pytest.mark.parametrize("name", FACTS)
def test_its_network_and_optimizer_can_be_built(name: str) -> None:
    settings, recipe, _ = _resolved(name)
    with torch.device("meta"):
        model = build_model(model_args(settings.model, recipe.channels, recipe.size))
    apply_frozen(model, settings.optim, 0)
    build_optimizer(model, settings.optim)


def test_a_draw_of_gavranovic_holds_positives_by_their_inverse_frequency_over_five() -> None:
    settings, _, _ = _resolved("gavranovic")
    positives, negatives = 0.02, 0.98
    weights = {1: 1 / positives / 5, 0: 1 / negatives}
    share = positives * weights[1] / (positives * weights[1] + negatives * weights[0])
    assert settings.data.positive_share == pytest.approx(share, abs=1e-4)


def test_the_frozen_parts_of_gavranovic_are_the_first_five_children() -> None:
    settings, _, _ = _resolved("gavranovic")
    with torch.device("meta"):
        model = build_model(model_args(settings.model, 3, (512, 512)))
    apply_frozen(model, settings.optim, 0)
    children = [all(not p.requires_grad for p in child.parameters()) for child in model.children()]
    assert children == [True] * 5 + [False] * 3 + [True, False]  # the pooling has no weights


def test_a_step_of_spr_is_over_384_images() -> None:
    settings, _, _ = _resolved("spr-1st-b2")
    assert settings.data.batch * settings.optim.accumulate == 384
