import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import trainer.train
from cli.train import command
from dali_pipelines.errors import ConfigError
from dali_pipelines.rejects.counts import VerdictCounts
from dali_pipelines.rejects.limits import parse_limit
from trainer.train import TrainResult


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the command would have trained."""
    made: list[dict[str, Any]] = []

    def train(settings: Any, recipe: Any, manifest: Any, out: Any, options: Any) -> TrainResult:
        made.append({"settings": settings, "recipe": recipe, "options": options, "out": out})
        state: Any = "preempted" if out.name == "cut" else "done"
        counts = VerdictCounts(ok=7, flagged=1, reasons={})
        is_main = out.name != "other"
        return TrainResult(
            state, out / "best.pt", {"value": 0.5}, [], counts, out / "rejects.csv", is_main
        )

    monkeypatch.setattr(trainer.train, "train", train)
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
    assert result.stdout == "run/best.pt\n"
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
    assert json.loads(result.stdout)["state"] == "preempted"
    assert result.return_value == 75
    assert _run("-O", "done").return_value is None


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
    ],
)
def test_bad_usage_is_one_sentence(
    calls: list[dict[str, Any]], args: list[str], message: str
) -> None:
    result = _run("-O", "run", *args)
    assert isinstance(result.exception, ConfigError)
    assert message in str(result.exception)
    assert not calls
