"""The benchmark of several recipes runs at tiny size; what it measures is not judged here."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import multi_recipe
from benchmarks.images import Images
from benchmarks.job import Job
from benchmarks.timing import Measurement, Sample
from dali_pipelines.errors import DatasetError
from dali_pipelines.recipe import load_recipe


def test_it_compares_both_ways(
    measure_here: Callable,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "multi.json"
    words = f"multi_recipe --size 128x104 --images 2 --repeats 1 --syntax raw --out {out}"
    monkeypatch.setattr(sys, "argv", words.split())
    monkeypatch.setattr(multi_recipe, "RECIPES", ("demo", "stemgene"))
    monkeypatch.setattr(multi_recipe, "NUMBERS", (1, 2))
    monkeypatch.setattr(multi_recipe, "measure", measure_here)
    multi_recipe.main()
    content = json.loads(out.read_text())
    assert [(row["syntax"], row["recipes"]) for row in content["rows"]] == [("raw", 1), ("raw", 2)]
    assert len(capsys.readouterr().out.splitlines()) == 2
    assert list(content["settings"]["recipes"]) == ["demo", "stemgene"]
    for way in (multi_recipe.TOGETHER, multi_recipe.APART):
        assert content["rows"][1][way]["img_s"]["median"] == 2
        assert content["rows"][1][way]["peak_mib"] == 125


def test_ratios_are_of_rounds(record_of: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {
        multi_recipe.TOGETHER: Measurement((Sample(1.0, 2.0), Sample(2.0, 2.0))),
        multi_recipe.APART: Measurement((Sample(3.0, 7.0), Sample(4.0, 8.0))),
    }
    monkeypatch.setattr(multi_recipe, "measure", lambda *_: found)
    job = Job((record_of(),), load_recipe("demo"), 2, 1)
    row = multi_recipe.compare(job, [job.recipe], 2)
    assert row["ratio"] == {"median": 2.5, "min": 2.0, "max": 3.0}
    assert row["cpu_ratio"] == {"median": 3.75, "min": 3.5, "max": 4.0}


@pytest.mark.parametrize("opener", [multi_recipe.open_one_pass, multi_recipe.open_passes])
def test_an_image_that_gives_no_tensor_is_no_rate(opener, tmp_path: Path) -> None:
    records = Images((), (128, 104), 2).records("raw", tmp_path / "raw")
    Path(records[0].location.path).unlink()
    recipe = load_recipe("demo")
    with (
        opener(Job(records, recipe, 2, 1), [recipe]) as run,
        pytest.raises(DatasetError, match="1 of 2 images gave no tensor"),
    ):
        run()
