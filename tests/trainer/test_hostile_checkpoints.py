"""Checkpoints and artifacts that were made to do harm: refused in a sentence, never a traceback."""

import json
import resource
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch

from dali_pipelines.errors import CheckpointError, DamagedError
from dali_pipelines.recipe import Recipe
from trainer.artifact import load_artifact, save_artifact
from trainer.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from trainer.checksums import checksum_path, replacing_with_checksum
from trainer.networks.build import build_model
from trainer.prediction.scorers import load_scorers
from trainer.rebuild import rebuild_model

ARGS = {"model_name": "test_resnet", "in_chans": 1, "num_classes": 1}
RECIPE = Recipe("small")
STEERING = "\x1b[2J" * 1000  # clears a terminal
LONGEST = 800  # letters of a message, paths included


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    return build_model(ARGS).state_dict()


@pytest.fixture
def sound(weights: dict[str, torch.Tensor]) -> Checkpoint:
    recipe = RECIPE.to_dict()
    return Checkpoint(weights, ARGS, recipe, RECIPE.hash, {}, {}, 1, 0, "", {}, [], {})


def _content(checkpoint: Checkpoint, **changes: Any) -> dict[str, Any]:
    kept = {field.name: getattr(checkpoint, field.name) for field in fields(Checkpoint)}
    return {"format": "mammostream-checkpoint", "format_version": 2, **kept, **changes}


def _refused(path: Path, reason: str) -> None:
    with pytest.raises(CheckpointError, match=reason) as caught:
        load_scorers([path])
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < LONGEST + len(str(path))


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "a version that steers": ({"format_version": STEERING}, "this version reads format 2"),
    "a version of many": ({"format_version": torch.ones(2)}, "this version reads format 2"),
    "a format of many": ({"format": torch.ones(2)}, "is no mammostream-checkpoint"),
    "arguments in a list": ({"model_args": ["x"]}, "model_args is not what it writes"),
    "a unit in a list": ({"model_args": {**ARGS, "unit": ["x"]}}, "no usable network"),
    "a unit that steers": ({"model_args": {**ARGS, "unit": STEERING}}, "no usable network"),
    "an argument that steers": ({"model_args": {**ARGS, STEERING: 1}}, "no usable network"),
    "a larger network": (
        {"model_args": {**ARGS, "model_name": "vit_gigantic_patch14_224", "img_size": [16384] * 2}},
        "another network than VisionTransformer: it lacks weights",
    ),
    "a recipe in a list": ({"recipe": ["name"]}, "recipe is not what it writes"),
    "a recipe that steers": ({"recipe": {"name": "x", STEERING: 1}}, "no usable recipe"),
    "a hash that steers": ({"recipe_hash": STEERING}, "would prepare otherwise"),
    "a hash of many": ({"recipe_hash": torch.ones(3)}, "recipe_hash is not what it writes"),
    "weights in a list": ({"model": [1]}, "model is not what it writes"),
    "weights by number": ({"model": {1: torch.ones(1)}}, "model is not what it writes"),
    "an average in a text": ({"ema": "x"}, "ema is not what it writes"),
    "a threshold in a text": ({"threshold": "x"}, "threshold is not what it writes"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_checkpoint_with_another_content_is_refused(
    sound: Checkpoint, tmp_path: Path, name: str
) -> None:
    changes, reason = CHANGES[name]
    torch.save(_content(sound, **changes), tmp_path / "best.pt")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _refused(tmp_path / "best.pt", reason)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10  # KiB


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda w: {**w, STEERING: torch.ones(1)}, "another network"),
        (lambda w: {n: torch.zeros(()).expand(v.shape) for n, v in w.items()}, "model is not what"),
        (lambda w: {n: v.to(torch.complex64) for n, v in w.items()}, "numbers of another kind"),
        (lambda w: {n: v.to(torch.int8) for n, v in w.items()}, "numbers of another kind"),
        (lambda w: {n: v / 0 if v.is_floating_point() else v for n, v in w.items()}, "finite"),
        (lambda w: dict.fromkeys(w, 3), "model is not what it writes"),
    ],
    ids=["a name that steers", "one number often", "complex", "whole", "not finite", "no tensor"],
)  # fmt: skip
def test_weights_that_are_none_are_refused(
    sound: Checkpoint, tmp_path: Path, change: Any, reason: str
) -> None:
    torch.save(_content(sound, model=change(sound.model)), tmp_path / "best.pt")
    _refused(tmp_path / "best.pt", reason)


def test_a_compressed_checkpoint_is_refused_even_with_its_digest(
    sound: Checkpoint, tmp_path: Path
) -> None:
    """A file of 64 KB that would take 64 MB; torch writes none, but would read it."""
    torch.save(_content(sound, extra=torch.zeros(16 << 20)), tmp_path / "plain.pt")
    path = tmp_path / "best.pt"
    with (
        zipfile.ZipFile(tmp_path / "plain.pt") as plain,
        replacing_with_checksum(path) as aside,
        zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED) as bomb,
    ):
        for record in plain.infolist():
            bomb.writestr(record.filename, plain.read(record))
    with pytest.raises(CheckpointError, match="is compressed"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda _: "[" * 200_000, "no JSON document"),
        (lambda d: json.dumps(d | {"weights": [1]}), "does not hold the weights"),
        (lambda d: json.dumps(d | {"weights": {}}), "does not hold the weights"),
        (lambda d: json.dumps(d | {"model_args": 3}), "model_args is not what it writes"),
        (lambda d: json.dumps(d | {"format_version": STEERING}), "reads format 2"),
        (lambda d: json.dumps(d | {"format": [1]}), "is no mammostream-model"),
    ],
    ids=["deep", "weights in a list", "no digest", "arguments", "steering", "format"],
)
def test_an_artifact_with_another_content_is_refused(
    sound: Checkpoint, tmp_path: Path, change: Any, reason: str
) -> None:
    path = tmp_path / "model.safetensors"
    save_artifact(sound, path)
    document = tmp_path / "model.json"
    with replacing_with_checksum(document) as aside:
        aside.write_text(change(json.loads(document.read_text())))
    _refused(path, reason)


def test_a_digest_that_is_no_file_is_no_digest(sound: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_artifact(sound, path)
    beside = checksum_path(tmp_path / "model.json")
    digest = beside.read_text()
    beside.write_text(digest.upper())  # as other programs write it
    load_artifact(path)
    beside.unlink()
    beside.mkdir()
    with pytest.raises(DamagedError, match="its SHA-256 is not"):
        load_artifact(path)


def test_a_sound_checkpoint_is_built_again(sound: Checkpoint, tmp_path: Path) -> None:
    save_checkpoint(sound, tmp_path / "best.pt")
    state = rebuild_model(load_checkpoint(tmp_path / "best.pt"), "it").state_dict()
    assert all(torch.equal(state[name], value) for name, value in sound.model.items())
