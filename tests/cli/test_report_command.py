"""`mammo report`: which files it writes, and what it refuses."""

from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner, Result

from cli.report import command
from dali_pipelines.errors import ConfigError
from tests.trainer.report.toy_run import write_run


def call(*args: object) -> Result:
    return CliRunner().invoke(command, [str(arg) for arg in args], catch_exceptions=False)


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    rows = {
        "image_id": list("abcd"), "patient_id": list("ppqq"), "laterality": list("LRLR"),
        "view": ["CC"] * 4, "prob": [0.9, 0.2, 0.3, 0.1], "cancer": [1, 0, 0, 0],
    }  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "predictions.csv", index=False)
    return tmp_path / "predictions.csv"


def test_a_page_of_predictions_alone(predictions: Path, tmp_path: Path) -> None:
    out = tmp_path / "pages" / "report.html"
    result = call(predictions, "-O", out, "--title", "Mine", "--bootstrap", 100)
    assert result.stdout == f"{out}\n"
    page = out.read_text()
    assert "<title>Mine</title>" in page
    assert "1.000" in page


def test_a_card_alone_makes_no_page(
    predictions: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = call(predictions, "--card", "MODEL_CARD.md", "--bootstrap", 100)
    assert result.stdout == "MODEL_CARD.md\n"
    assert (tmp_path / "MODEL_CARD.md").read_text().startswith("# Model card: MammoStream report")
    assert not (tmp_path / "report.html").exists()


def test_both_at_once_of_a_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_run(tmp_path / "run")
    result = call("run", "-O", "r.html", "--card", "c.md")
    assert result.stdout == "r.html\nc.md\n"
    assert "training loss" in (tmp_path / "r.html").read_text()
    assert "No image with a label was scored." in (tmp_path / "c.md").read_text()


def test_an_input_is_not_written_over(tmp_path: Path) -> None:
    table = tmp_path / "report.html"
    table.write_text("")
    with pytest.raises(ConfigError, match="would be overwritten"):
        call(table, "-O", table)


@pytest.mark.parametrize(
    ("args", "message"),
    [(["-O", "report.pdf"], "must end in .html"), (["--card", "card.txt"], "must end in .md")],
)
def test_names_say_what_is_in_them(predictions: Path, args: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        call(predictions, *args)


def test_a_run_is_not_of_a_run(tmp_path: Path) -> None:
    write_run(tmp_path / "run")
    result = call(tmp_path / "run", "--run", tmp_path / "run")
    assert result.exit_code == 2
    assert "--run goes with PREDICTIONS" in result.output
