import json
from pathlib import Path

import pytest

from dali_pipelines.errors import CheckpointError, ConfigError
from trainer.aggregation.policy import Aggregation, parse_aggregation
from trainer.decisions.decision import Decision
from trainer.evaluation.options import EvaluationOptions
from trainer.evaluation.stored_choices import count_trained, with_choices
from trainer.scores.trained_images import TRAINED_ON, told_trained

BY_MAX = parse_aggregation("max/max")
DECISION = Decision("breast", "f1", 0.31, chosen_on={"n": 10})
GIVEN = EvaluationOptions(repeats=7)


def _chosen(
    folder: Path, document: object, how: Aggregation | None = None, name: str = "p.csv"
) -> EvaluationOptions:
    (folder / "p_about.json").write_text(json.dumps(document))
    return with_choices(GIVEN, folder / name, how)


@pytest.mark.parametrize("name", ["p.csv", "p.parquet"])
def test_what_stands_beside_the_predictions_is_taken(tmp_path: Path, name: str) -> None:
    document = {"aggregation": "max/max", "decision": DECISION.to_dict()}
    chosen = _chosen(tmp_path, document, name=name)
    assert (chosen.how, chosen.decision, chosen.repeats) == (BY_MAX, DECISION, 7)


def test_what_is_asked_for_comes_first_and_undoes_a_decision_on_other_scores(
    tmp_path: Path,
) -> None:
    document = {"aggregation": "max/max", "decision": DECISION.to_dict()}
    asked = _chosen(tmp_path, document, how=Aggregation())
    assert (asked.how, asked.decision) == (Aggregation(), None)
    assert _chosen(tmp_path, document, how=BY_MAX).decision == DECISION


def test_predictions_without_a_document_change_nothing(tmp_path: Path) -> None:
    assert with_choices(GIVEN, tmp_path / "oof.csv") == GIVEN
    assert with_choices(GIVEN, tmp_path / "oof.csv", BY_MAX).how == BY_MAX
    assert _chosen(tmp_path, {"recipe": "x", "decision": None}) == GIVEN


def _ensemble(path: Path, *members: str) -> None:
    document = {
        "format": "mammostream-ensemble",
        "members": [{"path": name} for name in members],
        "aggregation": "max/max",
        "decision": DECISION.to_dict(),
    }
    path.write_text(json.dumps(document))


def test_out_of_fold_scores_have_what_was_chosen_on_them(tmp_path: Path) -> None:
    _ensemble(tmp_path / "ens.json", "../run/fold-0/model.json")
    _ensemble(tmp_path / "ensemble.json", "fold-0/model.json", "fold-1/model.json")
    for name in ("ens_oof.csv", "oof.csv"):
        chosen = with_choices(GIVEN, tmp_path / name)
        assert (chosen.how, chosen.decision, chosen.is_chosen_here) == (BY_MAX, DECISION, True)
    other_rules = with_choices(GIVEN, tmp_path / "oof.csv", Aggregation())
    assert (other_rules.decision, other_rules.is_chosen_here) == (None, False)
    assert with_choices(GIVEN, tmp_path / "ens_of.csv") == GIVEN


def test_the_ensemble_of_several_runs_is_not_that_of_one(tmp_path: Path) -> None:
    _ensemble(tmp_path / "ensemble.json", "fold-0/model.json", "../other/fold-1/model.json")
    assert with_choices(GIVEN, tmp_path / "oof.csv") == GIVEN


def test_a_fold_has_the_threshold_of_its_network(tmp_path: Path) -> None:
    settings = {"monitor": "exam/pf1", "threshold": "f2", "aggregate": "max/max"}
    model = {"settings": settings, "threshold": 0.2}
    (tmp_path / "model.json").write_text(json.dumps(model))
    chosen = with_choices(GIVEN, tmp_path / "oof.csv")
    assert chosen.decision is not None
    assert (chosen.decision.level, chosen.decision.rule) == ("exam", "f2")
    assert (chosen.threshold_of("exam"), chosen.how) == (0.2, BY_MAX)
    assert chosen.is_chosen_here
    (tmp_path / "model.json").write_text(json.dumps({**model, "threshold": None}))
    undecided = with_choices(GIVEN, tmp_path / "oof.csv")
    assert (undecided.decision, undecided.is_chosen_here) == (None, False)


@pytest.mark.parametrize("out_of_fold", [True, False])
def test_predictions_out_of_fold_are_what_was_chosen_on(tmp_path: Path, out_of_fold: bool) -> None:
    document = {"out_of_fold": out_of_fold, "decision": DECISION.to_dict()}
    assert _chosen(tmp_path, document).is_chosen_here == out_of_fold


def test_images_that_were_trained_on_are_counted_where_that_is_written(tmp_path: Path) -> None:
    assert count_trained(tmp_path / "p.csv") is None
    (tmp_path / "p_about.json").write_text(json.dumps({TRAINED_ON: told_trained(3)}))
    assert count_trained(tmp_path / "p.csv") == 3


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ([], CheckpointError),
        ({"aggregation": 3}, CheckpointError),
        ({"aggregation": "median"}, ConfigError),
        ({"decision": "f1"}, CheckpointError),
        ({"decision": {"level": "breast", "rule": "f1", "threshold": "x"}}, CheckpointError),
    ],
)
def test_nonsense_is_refused(tmp_path: Path, document: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        _chosen(tmp_path, document)
