import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from dali_pipelines.errors import CheckpointError, DamagedError
from trainer.checksums import file_sha256
from trainer.decisions.calibration import Calibration
from trainer.decisions.decision import Decision
from trainer.ensembles.ensemble_file import (
    EnsembleFile,
    Member,
    is_ensemble,
    read_ensemble,
    write_ensemble,
)

DECISION = Decision("patient", "youden", 0.25, Calibration("temperature", 0.5), {"n": 7})


@pytest.fixture
def ensemble(tmp_path: Path) -> EnsembleFile:
    members = []
    for fold in (0, 1):
        path = tmp_path / f"study/run/fold-{fold}/model.json"
        path.parent.mkdir(parents=True)
        path.write_text(f'{{"fold": {fold}}}')
        members.append(Member(path, file_sha256(path), 0.5 + fold, fold))
    members.append(Member(members[0].path, members[0].sha256))
    return EnsembleFile(tuple(members), "logit", "max/max/max", DECISION, {"nested": None})


@pytest.fixture
def written(ensemble: EnsembleFile, tmp_path: Path) -> Path:
    (tmp_path / "study/out").mkdir()
    write_ensemble(ensemble, tmp_path / "study/out/ensemble.json")
    return tmp_path / "study/out/ensemble.json"


def test_it_comes_back_as_it_was(ensemble: EnsembleFile, written: Path) -> None:
    found = read_ensemble(written)
    assert [m.path.resolve() for m in found.members] == [m.path for m in ensemble.members]
    assert [(m.sha256, m.weight, m.fold) for m in found.members] == [
        (m.sha256, m.weight, m.fold) for m in ensemble.members
    ]
    assert (found.combine, found.aggregation) == ("logit", "max/max/max")
    assert (found.decision, found.figures) == (DECISION, {"nested": None})
    assert is_ensemble(written)


def test_a_study_can_be_moved(written: Path, tmp_path: Path) -> None:
    paths = [member["path"] for member in json.loads(written.read_text())["members"]]
    assert paths[0] == "../run/fold-0/model.json"
    shutil.move(tmp_path / "study", tmp_path / "elsewhere")
    moved = read_ensemble(tmp_path / "elsewhere/out/ensemble.json")
    assert all(member.path.is_file() for member in moved.members)


def test_a_member_that_was_trained_anew_is_another(written: Path, tmp_path: Path) -> None:
    (tmp_path / "study/run/fold-1/model.json").write_text("{}")
    with pytest.raises(DamagedError, match=r"member 2 of the ensemble file .* trained anew"):
        read_ensemble(written)
    (tmp_path / "study/run/fold-1/model.json").unlink()
    with pytest.raises(CheckpointError, match=r"member 2 .* is not there"):
        read_ensemble(written)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": "mammostream-model"}, "is no ensemble file"),
        ({"format_version": 2}, "has format 2"),
        ({"members": []}, "a member or more"),
        ({"members": {}}, "a list is wanted"),
        ({"members": [7]}, "member 1 of .* is no mapping"),
        ({"combine": "vote"}, "prob, logit, rank"),
        ({"aggregation": "average"}, "mean/max/max"),
        ({"decision": 0.3}, "a mapping is wanted"),
        ({"decision": {"level": "breast"}}, "'rule'"),
        ({"figures": None}, "a mapping is wanted"),
    ],
)
def test_nonsense_is_refused(written: Path, changes: dict[str, Any], message: str) -> None:
    written.write_text(json.dumps({**json.loads(written.read_text()), **changes}))
    with pytest.raises(CheckpointError, match=message):
        read_ensemble(written)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"path": 7}, "text is wanted"),
        ({"path": "/dev/zero"}, "relative to the file"),
        ({"path": "../../../../dev/zero"}, "is not there"),
        ({"path": ".."}, "is not there"),
        ({"path": "x" * 5000}, "is not there"),
        ({"path": "x\0"}, "is not there"),
        ({"sha256": None}, "text is wanted"),
        ({"sha256": "0" * 64}, "is not the one"),
        ({"weight": 0}, "above 0"),
        ({"weight": -1.0}, "above 0"),
        ({"weight": float("nan")}, "finite"),
        ({"fold": -1}, "whole number from 0"),
        ({"fold": True}, "whole number from 0"),
    ],
)
def test_a_member_that_makes_no_sense_is_refused(
    written: Path, changes: dict[str, Any], message: str
) -> None:
    content = json.loads(written.read_text())
    content["members"][1].update(changes)
    written.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=message):
        read_ensemble(written)


def test_what_is_no_ensemble_file_says_so(tmp_path: Path) -> None:
    (tmp_path / "model.json").write_text('{"format": "mammostream-model"}')
    (tmp_path / "list.json").write_text("[]")
    for name in ("model.json", "list.json", "absent.json"):
        assert not is_ensemble(tmp_path / name)
        with pytest.raises(CheckpointError):
            read_ensemble(tmp_path / name)
    assert not is_ensemble(tmp_path)
