import pandas as pd
import pytest

from trainer.exams import name_exams


@pytest.fixture
def frame(toy_frame: pd.DataFrame) -> pd.DataFrame:
    """Two patients of two images each."""
    return toy_frame.iloc[[0, 1, 4, 5]].reset_index(drop=True)


def test_a_study_is_an_exam(frame: pd.DataFrame) -> None:
    assert name_exams(frame).to_list() == ["1.3.p00", "1.3.p00", "1.3.p01", "1.3.p01"]


def test_without_studies_the_exam_id_says_it(frame: pd.DataFrame) -> None:
    bare = frame.assign(study_instance_uid="", exam_id=["a", "a", "b", None])
    assert name_exams(bare).to_list() == ["a", "a", "", ""]  # the second patient's say nothing


def test_studies_of_one_image_each_say_nothing(frame: pd.DataFrame) -> None:
    apart = frame.assign(study_instance_uid=["1", "2", "3", "3"])
    assert name_exams(apart).to_list() == ["", "", "3", "3"]
