"""The demo in small: every step runs, what it leaves holds no path, its odd inputs are named."""

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from dali_pipelines.errors import ConfigError
from dali_pipelines.phantom.patients import PhantomSettings
from trainer.demo import NOTICE, DemoResult, DemoSettings, run_demo
from trainer.scores.trained_images import trained_images

SMALL = DemoSettings(PhantomSettings(patients=8, height=160, width=128), device="cpu", epochs=1)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[DemoResult, Path, list[str]]:
    out, lines = tmp_path_factory.mktemp("demo") / "out", []
    return run_demo(out, SMALL, lines.append), out, lines


def test_every_step_is_told_and_figures_are_of_the_held_out_fold(demo) -> None:
    result, out, lines = demo
    assert [line[:5] for line in lines] == [f"[{k}/6]" for k in range(1, 7)]
    assert result.figures["image/n"] == 8  # two of eight patients
    assert len(pd.read_csv(out / "predictions.csv")) == 8
    assert trained_images(json.loads((out / "predictions_about.json").read_text())) == 0
    assert (out / "manifest.key").stat().st_mode & 0o777 == 0o600
    assert {"ckpt", "metrics.jsonl", "status.json"} <= {p.name for p in (out / "run").iterdir()}


def test_the_page_names_the_three_odd_inputs_and_says_what_it_proves(demo) -> None:
    result, out, _ = demo
    page = result.report.read_text()
    assert "3 of 35 inputs gave no image" in page
    assert all(code in page for code in ("E_EMPTY", "E_TRUNCATED", "not_dicom"))
    assert NOTICE in page
    assert str(out) not in page
    assert "PHANTOM" not in page
    card = (out / "MODEL_CARD.md").read_text()
    assert NOTICE in card
    assert str(out) not in card


def test_the_page_has_every_part_and_hangs_exams_of_both_classes(demo) -> None:
    page = demo[0].report.read_text()
    parts = re.findall(r'<section id="(\w+)">', page)
    assert parts == ["scores", "exams", "data", "training", "rejects", "setup"]
    assert page.count("data:image/jpeg") == page.count('class="tile ') >= 16


def test_a_folder_of_other_things_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "data.dcm").write_text("mine")
    with pytest.raises(ConfigError, match=r"no demo\.json"):
        run_demo(tmp_path, SMALL)
    assert [str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*")] == ["odd", "odd/data.dcm"]


def test_a_demo_of_before_may_hold_no_strange_phantoms(tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text("{}")
    (tmp_path / "phantom").mkdir()
    (tmp_path / "phantom" / "precious.txt").write_text("mine")
    with pytest.raises(ConfigError):
        run_demo(tmp_path, SMALL)
    assert (tmp_path / "phantom" / "precious.txt").read_text() == "mine"
