"""Exams as tiles: which image at which place, its score and label, how strong its heat map is."""

from collections.abc import Mapping

import pandas as pd
import pytest

from dali_pipelines.manifest_rows import to_frame
from trainer.report.exam_choice import ExamGroup
from trainer.report.exam_pictures import Picture
from trainer.report.exams import hang_exams

PICTURE = Picture("data:,plain", "data:,heat", 2, 3)


class FakePainter:
    """Notes what it is asked to paint, and paints all but one image."""

    def __init__(self, unreadable: str = "") -> None:
        self.unreadable, self.weights, self.calls = unreadable, {}, 0

    def __call__(self, frame: pd.DataFrame, weights: Mapping[str, float]) -> dict[str, Picture]:
        self.weights, self.calls = dict(weights), self.calls + 1
        return {name: PICTURE for name in frame["image_id"] if name != self.unreadable}


@pytest.fixture
def manifest(record_of) -> pd.DataFrame:
    """Two patients: p of four views, q of an unknown side alone."""
    images = [
        ("p", "R", "CC"), ("p", "L", "CC"), ("p", "R", "MLO"), ("p", "L", "MLO"), ("q", "", "CC"),
    ]  # fmt: skip
    return to_frame(
        [
            record_of(
                image_id=f"{patient}{side}{view}",
                sop_instance_uid=f"1.{patient}.{side}.{view}",
                study_instance_uid=f"2.{patient}",
                patient_id=patient,
                laterality=side,
                view=view,
            )
            for patient, side, view in images
        ]
    )


@pytest.fixture
def scores() -> pd.DataFrame:
    """Of the images of `manifest`, in its order, with raw names of their own."""
    return pd.DataFrame(
        {
            "image_id": [f"raw{k}" for k in range(5)],
            "patient_id": ["P", "P", "P", "P", "Q"],
            "exam_id": ["E", "E", "E", "E", "Q"],
            "laterality": ["R", "L", "R", "L", "?"],
            "view": ["CC", "CC", "MLO", "MLO", "CC"],
            "prob": [0.8, 0.2, 0.4, 0.0, 0.9],
            "cancer": pd.array([1, 0, pd.NA, 0, 1], dtype="Int64"),
        }
    )


def group(*keys: tuple[str, str]) -> ExamGroup:
    patients, exams = zip(*keys, strict=True)
    rows = {"patient_id": patients, "exam_id": exams, "prob": 0.6, "cancer": 1}
    return ExamGroup("Cancer, lowest scores", pd.DataFrame(rows))


def test_tiles_are_in_the_order_of_the_hanging_with_keyed_names(manifest, scores) -> None:
    painter = FakePainter(unreadable="pLCC")
    (hung,) = hang_exams([group(("P", "E"))], scores, manifest, painter)
    (exam,) = hung.exams
    assert (exam.prob, exam.cancer, exam.others) == (0.6, 1, 0)
    assert [(t.place, t.image_id, t.view, t.prob, t.cancer) for t in exam.tiles] == [
        ("R CC", "pRCC", "R CC", 0.8, 1),
        ("L CC", "pLCC", "L CC", 0.2, 0),
        ("R MLO", "pRMLO", "R MLO", 0.4, None),
        ("L MLO", "pLMLO", "L MLO", 0.0, 0),
    ]
    assert [tile.picture for tile in exam.tiles] == [PICTURE, None, PICTURE, PICTURE]


def test_heat_is_as_strong_as_the_score_beside_the_highest_of_the_exam(manifest, scores) -> None:
    painter = FakePainter()
    hang_exams([group(("P", "E"))], scores, manifest, painter)
    assert painter.weights == pytest.approx({"pRCC": 1, "pLCC": 0.25, "pRMLO": 0.5, "pLMLO": 0})


def test_an_exam_without_a_side_does_not_hang_nor_its_group(manifest, scores) -> None:
    assert hang_exams([group(("Q", "Q"))], scores, manifest, FakePainter()) == []


def test_all_exams_are_painted_at_once(manifest, scores) -> None:
    painter = FakePainter()
    hang_exams([group(("P", "E")), group(("Q", "Q"))], scores, manifest, painter)
    assert (painter.calls, len(painter.weights)) == (1, 5)


def test_nothing_chosen_is_nothing_hung(manifest, scores) -> None:
    assert hang_exams([], scores, manifest, FakePainter()) == []
