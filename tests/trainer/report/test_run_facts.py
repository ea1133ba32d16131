"""What a run directory says, and that nothing of it says where it lies or on which machine."""

from pathlib import Path

import pytest

from dali_pipelines.errors import ConfigError
from tests.trainer.report.toy_run import LOST, write_run
from trainer.report.run_facts import read_runs


def test_one_run(tmp_path: Path) -> None:
    (run,) = read_runs(write_run(tmp_path / "run", fold=3))
    assert run.fold == 3
    assert [row["epoch"] for row in run.history] == [1, 2, 3]  # not the row within an epoch
    assert len(run.timing) == 6
    assert run.best == {"epoch": 2}
    assert run.decoded == {"dali j2k": 40, "numpy raw": 2}
    assert run.recipe["name"] == "toy"
    assert run.rejects == [LOST]
    assert run.model is None
    assert run.settings["model"]["pretrained"] == "weights.pt"


def test_the_runs_of_a_cross_validation_in_the_order_of_their_folds(tmp_path: Path) -> None:
    for fold in (10, 2, 0):
        write_run(tmp_path / f"fold-{fold}", fold=fold)
    assert [run.fold for run in read_runs(tmp_path)] == [0, 2, 10]


def test_a_fold_that_has_not_begun_is_left_out(tmp_path: Path) -> None:
    write_run(tmp_path / "fold-0")
    (tmp_path / "fold-1").mkdir()
    assert len(read_runs(tmp_path)) == 1


def test_a_folder_of_other_things_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="holds no run"):
        read_runs(tmp_path)


@pytest.mark.parametrize("name", ["config.yaml", "env.json", "status.json"])
@pytest.mark.parametrize("content", ["[1", "[1]", "{a: *b}"])
def test_a_damaged_file_is_one_sentence_without_its_place(
    tmp_path: Path, name: str, content: str
) -> None:
    run = write_run(tmp_path / "run")
    (run / name).write_text(content)
    with pytest.raises(ConfigError, match=f"{name} of the run is damaged") as caught:
        read_runs(run)
    assert str(tmp_path) not in str(caught.value)
