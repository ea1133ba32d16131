import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from dali_pipelines.errors import CheckpointError, ConfigError, DatasetError
from trainer.aggregation.levels import aggregate
from trainer.decisions.calibrate import fit_calibration
from trainer.decisions.calibration import Calibration
from trainer.decisions.decision import Decision, choose_decision

DECISION = Decision("breast", "f1", 0.3, Calibration("platt", 2.0, -1.0), {"n": 10})
IMAGES = pd.DataFrame(
    [
        ("a", "L", 0.2, 0),
        ("a", "L", 0.8, 0),
        ("a", "R", 0.7, 1),
        ("b", "L", 0.1, 0),
        ("b", "R", 0.6, 1),
        ("c", "L", 0.9, None),  # nobody knows
    ],
    columns=["patient_id", "laterality", "prob", "cancer"],
).astype({"cancer": "Int64"})


def test_it_is_chosen_on_the_scores_of_its_level() -> None:
    probs, labels = np.array([0.5, 0.7, 0.1, 0.6]), np.array([0, 1, 0, 1])
    found = choose_decision("breast", probs, labels, "spec100", "platt", {"patients": 2})
    assert (found.level, found.rule, found.threshold) == ("breast", "spec100", 0.6)
    assert found.calibration == fit_calibration("platt", probs, labels)
    assert found.chosen_on == {"n": 4, "npos": 2, "patients": 2}
    assert choose_decision("breast", probs, labels).calibration is None


def test_it_adds_risk_and_verdict_and_leaves_the_score() -> None:
    breasts = aggregate(IMAGES, "breast")
    found = DECISION.apply(breasts)
    pd.testing.assert_frame_equal(found[list(breasts.columns)], breasts)
    assert found["positive"].to_list() == [1, 1, 0, 1, 1]
    assert DECISION.calibration is not None
    assert found["risk"].to_list() == DECISION.calibration.risk(breasts["prob"].to_numpy()).tolist()
    plain = Decision("breast", "f1", 0.6).apply(breasts)
    assert "risk" not in plain
    assert plain["positive"].to_list() == [0, 1, 0, 1, 1]  # 0.6 itself is a finding


def test_the_verdict_does_not_depend_on_the_calibration() -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"prob": rng.random(1000)})
    flat = Calibration("isotonic", knots=((0.0, 0.5), (1.0, 0.5)))
    with_it = Decision("image", "p90", 0.5, flat).apply(table)["positive"]
    without = Decision("image", "p90", 0.5).apply(table)["positive"]
    assert with_it.to_list() == without.to_list()


def test_it_goes_into_a_file_and_back() -> None:
    text = json.dumps(DECISION.to_dict(), allow_nan=False)
    assert Decision.from_dict(json.loads(text)) == DECISION
    bare = Decision("exam", "p97.935", np.nextafter(1.0, 2.0).item())
    assert Decision.from_dict(json.loads(json.dumps(bare.to_dict()))) == bare


@pytest.mark.parametrize(
    "changes",
    [
        {"level": "planet"},
        {"level": ["breast"]},
        {"threshold": "0.3"},
        {"threshold": None},
        {"threshold": float("nan")},
        {"threshold": True},
        {"rule": "\x1b[2J"},
        {"rule": 1},
        {"calibration": [1]},
        {"calibration": {"method": "platt"}},
        {"chosen_on": None},
        {"chosen_on": {"n": float("inf")}},
        {"chosen_on": {"n": [1]}},
    ],
)
def test_nonsense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match="the file has") as error:
        Decision.from_dict({**DECISION.to_dict(), **changes}, "the file")
    assert str(error.value).isprintable()


def test_what_cannot_be_chosen_is_said() -> None:
    probs = np.array([0.1, 0.2, 0.3])
    with pytest.raises(DatasetError, match="found 0 positives among 3"):
        choose_decision("image", probs, np.zeros(3, np.int64))
    with pytest.raises(ConfigError, match="no rule"):
        choose_decision("image", probs, np.array([0, 1, 0]), "best")
