from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from dali_pipelines.errors import CheckpointError, ConfigError, DamagedError
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.recipe import Recipe
from trainer.aggregation.policy import Aggregation
from trainer.artifact import save_artifact
from trainer.checkpoint import Checkpoint, save_checkpoint
from trainer.checksums import file_sha256
from trainer.decisions.decision import Decision
from trainer.ensembles.ensemble_file import EnsembleFile, Member, write_ensemble
from trainer.networks.build import build_model
from trainer.prediction.members import find_members
from trainer.prediction.scorers import load_scorers

RECIPE = Recipe("toy", resize=ResizeSettings(size=(32, 32)))
ARGS = {"model_name": "test_resnet", "in_chans": 1, "num_classes": 1}
DECISION = Decision("breast", "f1", 0.25, None, {"rows": 9})

Save = Callable[..., Path]


@pytest.fixture(scope="module")
def weights() -> dict[str, torch.Tensor]:
    return build_model(ARGS).state_dict()


@pytest.fixture
def save(tmp_path: Path, weights: dict[str, torch.Tensor]) -> Save:
    """save("a.pt", ...) or save("run/model.safetensors", ...) -> where it is."""

    def run(name: str, **changes: Any) -> Path:
        checkpoint = Checkpoint(
            weights, ARGS, RECIPE.to_dict(), RECIPE.hash, {}, {}, 1, 0, "d", {}, [], {}
        )
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write = save_artifact if path.suffix == ".safetensors" else save_checkpoint
        write(replace(checkpoint, **changes), path)
        return path

    return run


def _names(found: EnsembleFile, folder: Path) -> list[str]:
    return [member.path.relative_to(folder).as_posix() for member in found.members]


def test_a_run_stands_for_its_weights_and_a_cross_validation_for_those_of_its_folds(
    save: Save, tmp_path: Path
) -> None:
    for name in ("one", *(f"all/fold-{k}" for k in (10, 2, 0))):
        save(f"{name}/model.safetensors")
    (tmp_path / "all" / "fold-notes").mkdir()
    ckpt = save("a.pt")
    found = find_members([tmp_path / "all", ckpt, tmp_path / "one"], "logit", [1, 2, 3, 4, 5])
    assert _names(found, tmp_path) == [
        *(f"all/fold-{k}/model.safetensors" for k in (0, 2, 10)),
        *("a.pt", "one/model.safetensors"),
    ]
    assert [member.weight for member in found.members] == [1, 2, 3, 4, 5]
    assert _names(find_members([tmp_path / "all" / "fold-2"]), tmp_path) == [
        "all/fold-2/model.safetensors"
    ]


def test_a_run_that_is_not_done_is_named(save: Save, tmp_path: Path) -> None:
    save("all/fold-0/model.safetensors")
    (tmp_path / "all" / "fold-1").mkdir()
    with pytest.raises(CheckpointError, match=r"fold-1.*is not done"):
        find_members([tmp_path / "all"])
    with pytest.raises(ConfigError, match="3 numbers for 1 members"):
        find_members([save("a.pt")], None, [1, 2, 3])


def _ensemble(save: Save, tmp_path: Path, **changes: Any) -> Path:
    files = [save(f"run/fold-{k}/model.safetensors") for k in (0, 1)]
    members = (Member(files[0], file_sha256(files[0]), 3.0, 0), Member(files[1], "", 1.0, 1))
    members = (members[0], replace(members[1], sha256=file_sha256(files[1])))
    ensemble = EnsembleFile(members, "logit", "max/max/max", DECISION, {})
    path = tmp_path / "run" / "ensemble.json"
    write_ensemble(replace(ensemble, **changes), path)
    return path


def test_an_ensemble_file_says_all_itself(save: Save, tmp_path: Path) -> None:
    path = _ensemble(save, tmp_path)
    for named in (path, path.parent):
        scorers = load_scorers([named])
        assert (scorers.combine, scorers.weights) == ("logit", (3.0, 1.0))
        assert (str(scorers.aggregation), scorers.decision) == ("max/max/max", DECISION)
    plain = load_scorers([path.parent], None, "prob")  # no longer what was chosen
    assert (plain.combine, plain.weights, plain.decision) == ("prob", (1.0, 1.0), None)
    for args in (([path, path],), ([path], None, "rank"), ([path], None, None, (1.0, 2.0))):
        with pytest.raises(ConfigError, match="give it alone"):
            load_scorers(*args)
    save(
        "run/fold-1/model.safetensors",
        model={k: v + 1 for k, v in build_model(ARGS).state_dict().items()},
    )
    with pytest.raises(DamagedError, match="trained anew"):
        load_scorers([path])


def test_either_file_of_an_artifact_is_the_same_member(save: Save) -> None:
    path = save("run/model.safetensors", settings={"validate": "fold", "fold": 3})
    first, second = (load_scorers([p]).members[0] for p in (path, path.with_suffix(".json")))
    assert first.sha256 == second.sha256 == file_sha256(path)
    assert (first.held_out, first.data, first.unit) == (3, "d", "image")
    whole = save("b.pt", settings={"validate": "none", "fold": 3})
    assert load_scorers([whole]).members[0].held_out is None


def test_the_threshold_of_one_checkpoint_is_a_decision_of_its_level(save: Save) -> None:
    settings = {"monitor": "patient/auroc", "threshold": "f2", "aggregate": "max/max/max"}
    path = save("a.pt", settings=settings, threshold=0.5)
    scorers = load_scorers([path])
    told = {"aggregation": "max/max/max"}
    assert scorers.decision == Decision("patient", "f2", 0.5, None, told)
    assert scorers.decision_by(Aggregation("max")) == scorers.decision
    assert scorers.decision_by(Aggregation("mean")) is None
    of_images = save("b.pt", settings={"monitor": "image/auroc"}, threshold=0.5)
    assert load_scorers([of_images]).decision_by(Aggregation("max")) is not None
    assert load_scorers([path, of_images]).decision is None
    assert load_scorers([save("c.pt")]).decision is None


@pytest.mark.parametrize(
    "changes",
    [
        {"threshold": float("nan")},
        {"threshold": 0.5, "settings": {"monitor": "eye/auroc"}},
        {"threshold": 0.5, "settings": {"threshold": ["f1"]}},
        {"settings": {"aggregate": "mode/max"}},
    ],
)
def test_a_decision_of_a_stranger_is_judged(save: Save, changes: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError):
        load_scorers([save("a.pt", **changes)])
