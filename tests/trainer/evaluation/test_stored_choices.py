import json
from pathlib import Path

import pytest

from dali_pipelines.errors import CheckpointError, ConfigError
from trainer.aggregation.policy import Aggregation, parse_aggregation
from trainer.decisions.decision import Decision
from trainer.evaluation.options import EvaluationOptions
from trainer.evaluation.stored_choices import with_choices

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
