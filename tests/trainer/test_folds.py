import json
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dali_pipelines.errors import ConfigError, DatasetError, RejectsError
from dali_pipelines.manifest import write_manifest
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.rejects.limits import parse_limit
from trainer.aggregation.policy import Aggregation
from trainer.checkpoint import load_checkpoint
from trainer.decisions.rules import Rule
from trainer.decisions.threshold import threshold_of
from trainer.ensembles import of_folds
from trainer.ensembles.ensemble_file import read_ensemble
from trainer.folds import FIGURES, CrossResult, cross_validate
from trainer.journal import Journal
from trainer.metrics.figures import evaluate_scores
from trainer.networks.settings import ModelSettings
from trainer.run_folder import ENSEMBLE, LAST, SCORES
from trainer.sampling_settings import DataSettings
from trainer.scores.reading import read_predictions
from trainer.settings import TrainSettings
from trainer.train import RunOptions, train

RECIPE = Recipe("toy", resize=ResizeSettings(size=(32, 32)))
SETTINGS = TrainSettings(
    epochs=1,
    seed=3,
    fold=7,  # plays no part
    threads=1,
    model=ModelSettings("test_resnet"),
    data=DataSettings(batch=8, positive_share=0.5),
)


@pytest.fixture
def go(toy_manifest: Path, fake_source: Any, tmp_path: Path) -> Callable[..., CrossResult]:
    def run(
        name: str,
        *,
        watch: Callable[[], None] = lambda: None,
        max_rejects: str = "5%",
        resume: Any = "auto",
        **changes: Any,
    ) -> CrossResult:
        def open_source(records: Sequence[ImageRecord], *rest: Any) -> Any:
            source = fake_source(records, *rest)
            source.on_batch = lambda _number: watch()
            return source

        limit = parse_limit(max_rejects)
        options = RunOptions("cpu", resume, limit, open_source)
        settings = replace(SETTINGS, **changes)
        return cross_validate(settings, RECIPE, toy_manifest, tmp_path / name, options)

    return run


def _status(folder: Path) -> dict[str, Any]:
    status: dict[str, Any] = json.loads((folder / "status.json").read_text())
    return status


def test_each_image_is_scored_once_by_the_run_that_held_it_out(
    go: Any, tmp_path: Path, toy_frame: pd.DataFrame
) -> None:
    result = go("all")
    assert result.state == "done"
    assert [run.checkpoint.parts[-3] for run in result.runs] == ["fold-0", "fold-1"]
    table = read_predictions(result.scores)
    assert result.scores == tmp_path / "all" / SCORES
    assert len(table) == len(toy_frame) == table["image_id"].nunique()
    for fold in (0, 1):
        own = read_predictions(tmp_path / "all" / f"fold-{fold}" / SCORES)
        pd.testing.assert_frame_equal(
            own, table[table["fold"] == fold].reset_index(drop=True), check_like=True
        )
    assert result.figures == evaluate_scores(table)
    assert json.loads((tmp_path / "all" / FIGURES).read_text()) == result.figures
    status = _status(tmp_path / "all")
    assert status["state"] == "done"
    assert status["folds"] == [run.best for run in result.runs]


def test_the_folds_are_an_ensemble_with_a_threshold_of_all_their_scores(
    go: Any, tmp_path: Path
) -> None:
    result = go("all", threshold="sens90", aggregate="max/max")
    ensemble = read_ensemble(tmp_path / "all" / ENSEMBLE)
    assert [member.path.parts[-2] for member in ensemble.members] == ["fold-0", "fold-1"]
    assert [member.fold for member in ensemble.members] == [0, 1]
    assert ensemble.aggregation == "max/max/max"
    how, rule = Aggregation("max"), Rule("sens", 90.0)
    wanted = threshold_of(read_predictions(result.scores), "breast", how, rule)
    assert ensemble.decision is not None
    assert ensemble.decision.threshold == pytest.approx(wanted, rel=1e-12)


def test_without_an_ensemble_the_scores_are_still_there(
    go: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise DatasetError("one class alone")

    monkeypatch.setattr(of_folds, "build_ensemble", refuse)
    assert go("all").scores.is_file()
    assert not (tmp_path / "all" / ENSEMBLE).exists()
    assert "no ensemble.json: one class alone" in caplog.text


def test_a_fold_of_all_is_the_fold_alone(
    go: Any, tmp_path: Path, toy_manifest: Path, fake_source: Any
) -> None:
    across = go("all")
    options = RunOptions("cpu", open_source=fake_source)
    alone = train(replace(SETTINGS, fold=1), RECIPE, toy_manifest, tmp_path / "alone", options)
    assert across.runs[1].history == alone.history
    first, second = tmp_path / "all/fold-1" / SCORES, tmp_path / "alone" / SCORES
    assert first.read_bytes() == second.read_bytes()


def test_a_study_cut_short_goes_on_where_it_was(go: Any, tmp_path: Path) -> None:
    whole = go("whole")
    batches: list[int] = []

    def interrupt() -> None:
        batches.append(1)
        if len(batches) == 13:  # of the second fold: 7 of training and 4 of validation a fold
            os.kill(os.getpid(), signal.SIGTERM)

    first = go("cut", watch=interrupt)
    assert first.state == "preempted"
    assert [run.state for run in first.runs] == ["done", "preempted"]
    assert first.figures == {}
    assert not first.scores.exists()
    assert _status(tmp_path / "cut")["state"] == "preempted"
    done = (tmp_path / "cut/fold-0" / LAST).stat().st_mtime_ns
    second = go("cut")
    assert second.state == "done"
    assert second.figures == whole.figures
    assert second.scores.read_bytes() == whole.scores.read_bytes()
    assert (tmp_path / "cut/fold-0" / LAST).stat().st_mtime_ns == done  # nothing was done twice


def test_a_fold_that_fails_is_not_taken_for_one_that_was_preempted(
    go: Any, tmp_path: Path, toy_frame: pd.DataFrame, toy_manifest: Path
) -> None:
    calls: list[int] = []

    def interrupt() -> None:
        calls.append(1)
        if len(calls) == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    go("run", watch=interrupt)
    assert _status(tmp_path / "run")["state"] == "preempted"

    def die() -> None:
        raise RejectsError("too many")

    with pytest.raises(RejectsError):
        go("run", watch=die)
    status = _status(tmp_path / "run")
    assert (status["state"], status["error"], status["exit_code"]) == ("failed", "RejectsError", 3)


def test_nothing_held_out_is_no_cross_validation(go: Any) -> None:
    with pytest.raises(ConfigError, match="leave validate at 'fold'"):
        go("run", validate="none")


@pytest.mark.parametrize(
    ("folds", "message"),
    [(0, "needs 2 folds or more, the manifest has 1"), (None, "images without a fold")],
)
def test_a_manifest_without_folds_is_refused(
    go: Any, toy_frame: pd.DataFrame, toy_manifest: Path, folds: int | None, message: str
) -> None:
    write_manifest(toy_frame.assign(fold=pd.array([folds] * len(toy_frame), "Int16")), toy_manifest)
    with pytest.raises(DatasetError, match=message):
        go("run")


def test_a_wish_to_stop_between_two_folds_is_not_lost(
    go: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Journal.artifact

    def stop_and_write(*told: Any) -> None:  # the last that a fold does
        os.kill(os.getpid(), signal.SIGTERM)
        write(*told)

    monkeypatch.setattr(Journal, "artifact", stop_and_write)
    result = go("run")
    assert result.state == "preempted"
    assert [run.state for run in result.runs] == ["done", "preempted"]
    kept = load_checkpoint(tmp_path / "run/fold-1" / LAST)
    assert (kept.epoch, kept.blocks) == (0, 1)


def test_a_study_begun_anew_and_cut_short_takes_up_no_old_fold(go: Any, tmp_path: Path) -> None:
    go("run")
    (tmp_path / "run/fold-4/ckpt").mkdir(parents=True)  # of when the manifest had more folds
    (tmp_path / "run/fold-4" / LAST).touch()
    batches: list[int] = []

    def interrupt() -> None:
        batches.append(1)
        if len(batches) == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    assert go("run", watch=interrupt, resume="no").state == "preempted"
    left = {str(path.relative_to(tmp_path / "run")) for path in tmp_path.glob("run/**/*.*")}
    assert not left & {SCORES, FIGURES, f"fold-1/{LAST}", f"fold-1/{SCORES}", f"fold-4/{LAST}"}
    batches.clear()
    again = go("run", watch=lambda: batches.append(1))
    assert again.state == "done"
    assert len(batches) == 2 * 11 - 3  # 7 of training and 4 of validation a fold
