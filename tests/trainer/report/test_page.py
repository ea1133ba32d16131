"""The page: self-contained, escaped, and honest where a figure is not defined."""

from pathlib import Path

import pandas as pd

from dali_pipelines.recipe import Recipe
from trainer.metrics.figures import evaluate_scores
from trainer.report.page import RejectLine, Report, write_report


def page_of(scores: pd.DataFrame, path: Path, rejects: list[RejectLine] | None = None) -> str:
    report = Report(
        title="A <run>",
        summary="made of & from",
        notice="synthetic",
        recipe=Recipe("plain"),
        scores=scores,
        figures=evaluate_scores(scores),
        sheet_png=b"not really a picture",
        inputs=9,
        rejects=rejects or [],
        facts={"torch": "2 <script>"},
    )
    write_report(report, path)
    return path.read_text(encoding="utf-8")


def scores(labels: list[int]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "image_id": [f"i{k}" for k in range(4)],
            "patient_id": ["p", "p", "q", "q"],
            "laterality": ["L", "R", "L", "R"],
            "prob": [0.9, 0.2, 0.3, 0.1],
            "cancer": labels,
        }
    )


def test_figures_and_rejects_are_on_the_page(tmp_path: Path) -> None:
    rejects = [RejectLine("abc", "read", "E_EMPTY", "the file has <0> bytes")]
    page = page_of(scores([1, 0, 0, 0]), tmp_path / "report.html", rejects)
    assert "<td>image</td><td>4</td><td>1</td><td>1.000</td>" in page.replace("\n", "")
    assert "1 of 9 inputs gave no image" in page
    assert "the file has &lt;0&gt; bytes" in page
    assert "A &lt;run&gt;" in page
    assert "<script" not in page


def test_an_undefined_figure_is_a_dash_and_no_reject_is_said(tmp_path: Path) -> None:
    page = page_of(scores([0, 0, 0, 0]), tmp_path / "report.html")
    assert "<td>image</td><td>4</td><td>0</td><td>-</td>" in page.replace("\n", "")
    assert "None of 9 inputs was rejected" in page


def test_the_page_asks_nothing_of_the_network_and_is_the_same_twice(tmp_path: Path) -> None:
    first = page_of(scores([1, 0, 0, 0]), tmp_path / "a.html")
    assert first == page_of(scores([1, 0, 0, 0]), tmp_path / "b.html")
    assert 'src="http' not in first
    assert 'href="http' not in first
    assert first.count('src="data:image/') == 2
