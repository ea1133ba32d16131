import json
from dataclasses import replace
from pathlib import Path

import pytest
import timm
import torch
from safetensors.torch import load_file
from torch import nn

from dali_pipelines.errors import CheckpointError, DamagedError
from dali_pipelines.recipe import Recipe
from trainer.artifact import load_artifact, load_to_score, save_artifact, without_paths
from trainer.checkpoint import Checkpoint, save_checkpoint
from trainer.checksums import checksum_path, is_sound
from trainer.networks.build import build_model

ARGS = {"model_name": "test_resnet", "in_chans": 1, "num_classes": 1}
RECIPE = Recipe("small")


def _model(seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return build_model(ARGS)


@pytest.fixture
def checkpoint() -> Checkpoint:
    weights = _model(1).to(memory_format=torch.channels_last).state_dict()  # type: ignore[call-overload]
    return Checkpoint(
        model=weights,
        model_args=ARGS,
        recipe=RECIPE.to_dict(),
        recipe_hash=RECIPE.hash,
        settings={"seed": 3, "model": {"name": "test_resnet", "pretrained": "/home/who/w.pt"}},
        optimizer={"state": {}},
        epoch=2,
        blocks=0,
        data="f" * 64,
        best={"metric": "val/breast/auroc", "value": 0.75, "epoch": 1},
        history=[{"epoch": 1}],
        versions={"torch": "2"},
        class_prior=0.02,
        threshold=0.375,
    )


def _same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_an_artifact_scores_as_its_checkpoint_does(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_artifact(checkpoint, path)
    names = {p.name for p in tmp_path.iterdir()}
    assert names == {f"model.{end}{s}" for end in ("safetensors", "json") for s in ("", ".sha256")}
    save_checkpoint(checkpoint, tmp_path / "best.pt")
    from_torch = load_to_score(tmp_path / "best.pt")
    for file in (path, path.with_suffix(".json")):
        kept = load_to_score(file)
        assert _same(kept.weights, from_torch.weights)
        assert (kept.recipe, kept.model_args) == (from_torch.recipe, from_torch.model_args)
        assert (kept.threshold, kept.class_prior, kept.epoch) == (0.375, 0.02, 2)
        assert (kept.optimizer, kept.history, kept.blocks) == ({}, [], 0)


def test_the_moving_average_is_what_is_kept(checkpoint: Checkpoint, tmp_path: Path) -> None:
    averaged = _model(2).state_dict()
    save_artifact(replace(checkpoint, ema=averaged), tmp_path / "m.safetensors")
    assert _same(load_file(tmp_path / "m.safetensors"), averaged)


def test_timm_takes_the_weights_by_itself(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_artifact(checkpoint, path)
    model = timm.create_model(
        "test_resnet", in_chans=1, num_classes=1, checkpoint_path=str(path)
    ).eval()
    images = torch.randn(2, 1, 48, 32)
    with torch.inference_mode():
        assert torch.equal(model(images), _model(1).eval()(images))


def test_it_names_no_folder_of_the_machine(checkpoint: Checkpoint, tmp_path: Path) -> None:
    save_artifact(checkpoint, tmp_path / "model.safetensors")
    text = (tmp_path / "model.json").read_text()
    assert "/home/who" not in text
    assert json.loads(text)["settings"]["model"]["pretrained"] == "w.pt"
    assert without_paths({"seed": 1}) == {"seed": 1}


def test_the_bytes_depend_on_the_content_alone(checkpoint: Checkpoint, tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        save_artifact(checkpoint, tmp_path / name / "model.safetensors")
    for name in ("model.safetensors", "model.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("name", ["model.safetensors", "model.json"])
@pytest.mark.parametrize("alone", [False, True], ids=["with its digest", "without"])
def test_a_flipped_byte_is_found(
    checkpoint: Checkpoint, tmp_path: Path, name: str, alone: bool
) -> None:
    save_artifact(checkpoint, tmp_path / "model.safetensors")
    path = tmp_path / name
    whole = bytearray(path.read_bytes())
    # of weights any byte; of text one of a name, where no digest says that it changed
    whole[len(whole) // 2 if name.endswith("s") else whole.index(b"recipe_hash")] ^= 1
    path.write_bytes(whole)
    if alone:
        checksum_path(path).unlink()
    with pytest.raises(CheckpointError, match=r"damaged|does not hold|lacks"):
        load_artifact(tmp_path / "model.json")


def test_the_halves_of_two_artifacts_are_no_artifact(
    checkpoint: Checkpoint, tmp_path: Path
) -> None:
    other = replace(checkpoint, model=_model(2).state_dict())
    for name, kept in (("a", checkpoint), ("b", other)):
        save_artifact(kept, tmp_path / f"{name}.safetensors")
    (tmp_path / "b.json").replace(tmp_path / "a.json")
    checksum_path(tmp_path / "b.json").replace(checksum_path(tmp_path / "a.json"))
    with pytest.raises(DamagedError, match=r"a\.safetensors' does not hold the weights"):
        load_artifact(tmp_path / "a.json")
    with pytest.raises(CheckpointError, match=r"no 'b\.json' beside 'b\.safetensors'"):
        load_artifact(tmp_path / "b.safetensors")


def test_a_crash_while_it_is_replaced_leaves_no_mixture(
    checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.safetensors"
    save_artifact(checkpoint, path)

    def killed(*_: object, **__: object) -> str:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(json, "dumps", killed)
        with pytest.raises(KeyboardInterrupt):
            save_artifact(replace(checkpoint, model=_model(2).state_dict()), path)
    assert is_sound(path)
    with pytest.raises(CheckpointError, match=r"no 'model\.json'"):
        load_artifact(path)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ("{", "no JSON document"),
        ("[]", "does not describe a model"),
        ('{"format": "mammostream-model", "format_version": 99}', "format 99"),
        ('{"format": "mammostream-model", "format_version": 2}', "lacks model_args"),
    ],
)
def test_other_documents_are_refused(
    checkpoint: Checkpoint, tmp_path: Path, content: str, match: str
) -> None:
    save_artifact(checkpoint, tmp_path / "model.safetensors")
    checksum_path(tmp_path / "model.json").unlink()
    (tmp_path / "model.json").write_text(content)
    with pytest.raises(CheckpointError, match=match):
        load_artifact(tmp_path / "model.json")
