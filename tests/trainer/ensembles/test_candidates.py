from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from dali_pipelines.errors import ConfigError, DatasetError
from trainer.checksums import file_sha256
from trainer.ensembles.candidates import find_candidates

Runs = Callable[..., list[Path]]


def test_a_cross_validation_gives_its_folds_and_a_run_itself(runs: Runs) -> None:
    first, second = runs([1.0, 0.5])
    found = find_candidates([second / "fold-2", first])
    assert [c.model.parent for c in found] == [
        second / "fold-2",
        *(first / f"fold-{fold}" for fold in range(3)),
    ]
    assert [c.fold for c in found] == [2, 0, 1, 2]
    assert found[0].sha256 == file_sha256(second / "fold-2/model.json")
    assert set(found[0].scores["fold"]) == {2}


def test_folds_are_in_the_order_of_their_numbers(runs: Runs) -> None:
    (run,) = runs([1.0], folds=11, patients=44)
    assert [c.fold for c in find_candidates([run])] == list(range(11))


def test_a_run_without_an_end_or_a_held_out_fold_is_named(runs: Runs, tmp_path: Path) -> None:
    (run,) = runs([1.0])
    (run / "fold-1/model.json").unlink()
    with pytest.raises(ConfigError, match=r"fold-1' has no model\.json: .* finish it"):
        find_candidates([run])
    (run / "fold-0/oof.csv").unlink()
    with pytest.raises(ConfigError, match=r"has no oof\.csv"):
        find_candidates([run])
    with pytest.raises(ConfigError, match="no run directory"):
        find_candidates([tmp_path / "absent"])


def test_a_run_named_twice_would_weigh_twice(runs: Runs) -> None:
    (run,) = runs([1.0])
    with pytest.raises(ConfigError, match="1 of the runs are named twice"):
        find_candidates([run, run / "../run0/fold-1"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fold": [0, 1]}, "several folds"),
        ({"cancer": [0, None]}, "without logit, label or fold"),
        ({"logit": [0.0, None]}, "without logit, label or fold"),
        ({"logit": [0.0, "inf"]}, "without logit, label or fold"),
        ({"cancer": [0, 2]}, "other than 0 and 1"),
        ({"fold": None}, "lacks the column fold"),
    ],
)
def test_a_table_that_cannot_be_used_is_named(
    runs: Runs, changes: dict[str, list[object] | None], message: str
) -> None:
    (run,) = runs([1.0])
    path = run / "fold-0/oof.csv"
    table = pd.read_csv(path, dtype=str).iloc[:2]
    for name, values in changes.items():
        table = table.drop(columns=name) if values is None else table.assign(**{name: values})
    table.to_csv(path, index=False)
    with pytest.raises(DatasetError, match=message):
        find_candidates([run])
