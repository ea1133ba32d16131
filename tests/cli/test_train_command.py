import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

import trainer.folds
import trainer.launch
import trainer.train
from cli.main import mammo
from cli.train import command
from dali_pipelines.errors import CheckpointError, ConfigError
from dali_pipelines.rejects.counts import VerdictCounts
from dali_pipelines.rejects.limits import parse_limit
from trainer.augment.presets import load_preset
from trainer.folds import CrossResult
from trainer.train import TrainResult

FIGURES = {"image/auroc": 0.7}


def _result(out: Path, name: str = ".") -> TrainResult:
    state: Any = "preempted" if out.name == "cut" else "done"
    counts = VerdictCounts(ok=7, flagged=1, reasons={})
    best, is_main, folder = {"value": 0.5}, out.name != "other", out / name
    return TrainResult(
        state, folder / "ckpt/best.pt", best, [], counts, folder / "rejects.csv", is_main
    )


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the command would have trained: folds together where "across" is true."""
    made: list[dict[str, Any]] = []

    def train(settings: Any, recipe: Any, manifest: Any, out: Any, options: Any) -> TrainResult:
        told = {"settings": settings, "recipe": recipe, "options": options, "out": out}
        made.append({**told, "across": False})
        return _result(out)

    def cross_validate(*told: Any) -> CrossResult:
        train(*told)
        made[-1]["across"] = True
        out: Path = told[3]
        runs = tuple(_result(out, f"fold-{fold}") for fold in (0, 1))
        return CrossResult(runs[0].state, runs, out / "oof.csv", FIGURES)

    monkeypatch.setattr(trainer.train, "train", train)
    monkeypatch.setattr(trainer.folds, "cross_validate", cross_validate)
    return made


@pytest.fixture
def launched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What would have been launched; it ends with 3."""
    made: list[tuple[Any, ...]] = []

    def launch(*told: Any) -> int:
        made.append(told)
        return 3

    monkeypatch.setattr(trainer.launch, "launch", launch)
    return made


def _run(*args: str) -> Result:
    return CliRunner().invoke(command, ["m.parquet", *args], standalone_mode=False)


def test_options_beat_sets_and_sets_beat_the_file(
    calls: list[dict[str, Any]], tmp_path: Path
) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("epochs: 3\nseed: 3\nfold: 3\noptim: {lr: 0.3, clip_norm: 3}\n")
    result = _run(
        "-O", "run", "--config", str(config), "--set", "seed=2", "--set", "fold=2",
        "--set", "resize.size=[64, 32]", "--fold", "1", "--lr", "1e-3", "--model", "test_resnet",
        "--batch", "6", "--recipe", "demo", "--device", "cpu", "--resume", "no",
        "--max-rejects", "2%",
    )  # fmt: skip
    assert result.exception is None
    assert result.stdout == "run/ckpt/best.pt\n"
    assert result.stderr == "8 inputs: 7 ok, 1 flagged\n"
    (call,) = calls
    settings = call["settings"]
    assert (settings.epochs, settings.seed, settings.fold) == (3, 2, 1)
    assert (settings.optim.lr, settings.optim.clip_norm) == (1e-3, 3.0)
    assert (settings.model.name, settings.data.batch) == ("test_resnet", 6)
    assert (call["recipe"].name, call["recipe"].size) == ("demo", (64, 32))
    options = call["options"]
    assert (options.device, options.resume, options.max_rejects) == ("cpu", "no", parse_limit("2%"))


def test_a_fold_of_zero_is_an_option_given(calls: list[dict[str, Any]]) -> None:
    _run("-O", "run", "--set", "fold=2", "--fold", "0")
    assert calls[0]["settings"].fold == 0


def test_the_document_and_the_exit_code_of_a_run_cut_short(calls: list[dict[str, Any]]) -> None:
    result = _run("-O", "cut", "--json")
    best = {"value": 0.5}
    facts = {"state": "preempted", "checkpoint": "cut/ckpt/best.pt", "best": best}
    assert json.loads(result.stdout) == facts
    assert result.return_value == 75
    assert _run("-O", "done").return_value is None


def test_all_folds_are_one_study_with_a_line_each(calls: list[dict[str, Any]]) -> None:
    result = _run("-O", "run", "--fold", "all", "--set", "fold=1")
    assert result.stdout == "run/fold-0/ckpt/best.pt\nrun/fold-1/ckpt/best.pt\n"
    assert result.stderr.count("8 inputs") == 1  # both runs met the same images
    (call,) = calls
    assert call["across"]


def test_the_document_and_the_exit_code_of_all_folds(calls: list[dict[str, Any]]) -> None:
    result = _run("-O", "cut", "--fold", "all", "--json")
    document = json.loads(result.stdout)
    assert [fold["checkpoint"] for fold in document["folds"]] == [
        "cut/fold-0/ckpt/best.pt", "cut/fold-1/ckpt/best.pt"
    ]  # fmt: skip
    assert document["state"] == "preempted"
    assert document["scores"] == "cut/oof.csv"
    assert document["figures"] == FIGURES
    assert result.return_value == 75


@pytest.mark.parametrize("text", ["x", "-1", "1.5", "ALL", ""])
def test_a_fold_is_a_number_or_all(calls: list[dict[str, Any]], text: str) -> None:
    result = _run("-O", "run", f"--fold={text}")
    assert isinstance(result.exception, click.BadParameter)
    assert "must be a fold's number or 'all'" in result.exception.message
    assert not calls


def test_options_of_what_is_scored_and_shown(calls: list[dict[str, Any]]) -> None:
    _run("-O", "run", "--unit", "breast", "--augment", "light", "--accumulate", "4")
    settings = calls[0]["settings"]
    assert settings.model.unit == "breast"
    assert settings.augment == load_preset("light")
    assert settings.optim.accumulate == 4
    assert isinstance(_run("-O", "run", "--unit", "patient").exception, click.BadParameter)


def test_several_ranks_get_the_same_command_line(
    calls: list[dict[str, Any]], launched: list[tuple[Any, ...]]
) -> None:
    args = ["-q", "train", "m.parquet", "-O", "run", "--fold", "all", "--nproc", "2"]
    args += ["--max-restarts", "5", "--set", "data.batch=4"]
    result = CliRunner().invoke(mammo, args, obj=tuple(args))
    assert result.exit_code == 3
    assert launched == [(tuple(args), 2, 5)]
    assert not calls


def test_a_rank_of_several_trains(
    calls: list[dict[str, Any]],
    launched: list[tuple[Any, ...]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RANK", "1")
    _run("-O", "run", "--nproc", "2")
    assert len(calls) == 1
    assert not launched


def test_other_ranks_print_nothing(calls: list[dict[str, Any]]) -> None:
    assert _run("-O", "other").output == ""


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--set", "optim.rate=1"], "no setting 'optim.rate'"),
        (["--set", "roi.auto.margin=9"], "roi"),
        (["--epochs", "0"], "epochs must be 1 or more"),
        (["--recipe", "dmo"], "Did you mean 'demo'"),
        (["--config", "absent.yaml"], "no file 'absent.yaml'"),
        (["--max-rejects", "lots"], "a percentage like 5%"),
        (["--augment", "lihgt"], "no preset 'lihgt'. Did you mean 'light'?"),
        (["--unit", "exam", "--set", "loss.tasks.view=1"], "image where loss.tasks.view is set"),
        (["--pretrained", "absent.tar"], "no weight file 'absent.tar'"),
    ],
)
def test_bad_usage_is_one_sentence(
    calls: list[dict[str, Any]], args: list[str], message: str
) -> None:
    result = _run("-O", "run", *args)
    assert isinstance(result.exception, ConfigError | CheckpointError)
    assert message in str(result.exception)
    assert not calls
