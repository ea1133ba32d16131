from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from trainer.evaluation.bands import Drawn
from trainer.evaluation.curve_files import _draw, _fill, write_curves
from trainer.evaluation.curve_tables import curve_table
from trainer.evaluation.options import EvaluationOptions

ROWS = pd.DataFrame(
    {
        "image_id": list("abcd"),
        "patient_id": ["p", "q", "r", "s"],
        "laterality": ["L"] * 4,
        "prob": [0.9, 0.6, 0.6, 0.1],
        "cancer": [1, 1, 0, 0],
    }
)


def test_the_points_are_those_worked_by_hand() -> None:
    roc = curve_table("roc", ROWS)
    assert roc is not None
    assert roc["false_positive_rate"].tolist() == [0, 0, 0.5, 1]
    assert roc["sensitivity"].tolist() == [0, 0.5, 1, 1]
    assert roc["threshold"].tolist() == [np.inf, 0.9, 0.6, 0.1]
    pr = curve_table("pr", ROWS)
    assert pr is not None
    assert pr["recall"].tolist() == [0.5, 1, 1]
    assert pr["precision"].tolist() == pytest.approx([1, 2 / 3, 1 / 2])
    calibration = curve_table("calibration", ROWS)
    assert calibration is not None
    assert calibration["rows"].tolist() == [1, 2, 1]
    assert calibration["positives"].tolist() == [0, 1, 1]


@pytest.mark.parametrize("kind", ["roc", "pr", "calibration"])
def test_each_point_has_an_interval_where_patients_are_drawn(kind: str) -> None:
    many = pd.concat([ROWS] * 10, ignore_index=True)
    rows = many.assign(patient_id=many.index.astype(str))
    bare = curve_table(kind, rows)  # type: ignore[arg-type]
    drawn = curve_table(kind, rows, Drawn(repeats=30))  # type: ignore[arg-type]
    assert bare is not None
    assert bare[["low", "high"]].isna().all(axis=None)
    assert drawn is not None
    assert (drawn["low"] <= drawn["high"]).all()
    pd.testing.assert_frame_equal(
        bare.drop(columns=["low", "high"]), drawn.drop(columns=["low", "high"])
    )


@pytest.mark.parametrize("kind", ["roc", "pr", "calibration"])
def test_one_class_has_no_curve(kind: str) -> None:
    assert curve_table(kind, ROWS.assign(cancer=0)) is None  # type: ignore[arg-type]
    assert curve_table(kind, ROWS[:0]) is None  # type: ignore[arg-type]


def test_a_csv_and_a_picture_are_written_for_each_curve(tmp_path: Path) -> None:
    options = EvaluationOptions(levels=("patient",), repeats=20)
    files = write_curves(ROWS, options, tmp_path / "made" / "curves")
    names = [f"{kind}_{level}" for level in options.levels for kind in ("roc", "pr", "calibration")]
    assert [path.name for path in files] == [
        f"{name}{suffix}" for name in names for suffix in (".csv", ".png")
    ]
    assert sorted(path.name for path in (tmp_path / "made" / "curves").iterdir()) == sorted(
        path.name for path in files
    )
    assert pd.read_csv(files[0])["sensitivity"].tolist() == [0, 0.5, 1, 1]
    with Image.open(files[1]) as picture:
        assert picture.size == (880, 880)
        assert picture.convert("L").getextrema() == (0, 255)


def test_an_end_that_rounding_puts_past_the_figure_is_drawn(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"probability": [0.1, 0.9], "share": [0.0, 1.0], "low": [2e-17, 0.5], "high": [0.4, 1.0]}
    )
    _draw(table, "calibration", "image", tmp_path / "c.png")
    assert (tmp_path / "c.png").is_file()


def test_bins_of_calibration_are_points_that_no_line_joins() -> None:
    table = pd.DataFrame(
        {"probability": [0.49, 0.5, 0.51], "share": [0.1, 0.6, 0.2], "low": 0.0, "high": 0.9}
    )
    axes = Figure().subplots()
    _fill(axes, table, "calibration", "image")
    points = [line for line in axes.get_lines() if len(line.get_xdata()) == 3]
    assert [(line.get_linestyle(), line.get_marker()) for line in points] == [("None", "o")]


def test_a_level_of_one_class_leaves_no_file(tmp_path: Path) -> None:
    assert write_curves(ROWS.assign(cancer=1), EvaluationOptions(repeats=0), tmp_path) == []
    assert list(tmp_path.iterdir()) == []
