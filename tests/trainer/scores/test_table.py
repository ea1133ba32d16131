from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dali_pipelines.identity import image_id
from trainer.aggregation.levels import aggregate
from trainer.scores.table import key_path, prediction_table

KEY = bytes(range(32))


def test_scored_images_are_named_by_hashes_alone(toy_frame: pd.DataFrame) -> None:
    logits = np.full(len(toy_frame), np.nan)
    logits[[0, 1, 6]] = [0.0, np.log(3), -800]
    table = prediction_table(toy_frame, logits, "abc", KEY)
    assert table["image_id"].to_list() == ["p00LCC", "p00LMLO", "p01RCC"]
    assert table["prob"].to_list() == pytest.approx([0.5, 0.75, 0.0])
    assert table["cancer"].to_list() == [1, 1, 0]
    assert table["fold"].to_list() == [0, 0, 0]
    assert set(table["recipe_hash"]) == {"abc"}
    exams = table["exam_id"].to_list()
    assert exams[0] == exams[1] == image_id(KEY, "exam:p00\0001.3.p00") != exams[2]
    patients = table["patient_id"].to_list()
    assert patients[0] == patients[1] == image_id(KEY, "patient:p00") != patients[2]
    assert list(table.columns) == [
        "image_id", "patient_id", "exam_id", "laterality", "view", "view_modifiers", "prob",
        "logit", "cancer", "fold", "recipe_hash",
    ]  # fmt: skip


def test_raw_names_are_those_of_the_header(toy_frame: pd.DataFrame) -> None:
    bare = toy_frame.drop(columns=["cancer", "fold"]).assign(laterality="")
    table = prediction_table(bare, np.zeros(len(bare)), "abc", None)
    assert table["image_id"].iloc[0] == "1.2.p00LCC"
    assert table["patient_id"].iloc[0] == "p00"
    assert set(table["laterality"]) == {"?"}
    assert "cancer" not in table.columns


def test_images_of_unknown_patients_are_one_patient_a_study(toy_frame: pd.DataFrame) -> None:
    nameless = toy_frame.assign(patient_id="")
    raw = prediction_table(nameless, np.zeros(64), "abc", None)["patient_id"]
    assert raw.nunique() == 16
    assert raw.iloc[0].endswith("1.3.p00")
    assert all(name.isprintable() for name in raw)
    hashed = prediction_table(nameless, np.zeros(64), "abc", KEY)["patient_id"]
    assert hashed.nunique() == 16


def test_exams_are_studies_and_raw_ones_named_so(toy_frame: pd.DataFrame) -> None:
    later = toy_frame.assign(
        study_instance_uid=["1.3.a"] * 2
        + ["1.3.b"] * 2
        + toy_frame["study_instance_uid"][4:].tolist()
    )
    raw = prediction_table(later, np.zeros(64), "abc", None)
    assert raw["exam_id"].to_list()[:5] == ["1.3.a", "1.3.a", "1.3.b", "1.3.b", "1.3.p01"]
    hashed = prediction_table(later, np.zeros(64), "abc", KEY)
    assert hashed["exam_id"].nunique() == raw["exam_id"].nunique() == 17
    assert not set(hashed["exam_id"]) & {*hashed["patient_id"], *hashed["image_id"]}


def test_studies_of_one_image_each_are_one_exam(toy_frame: pd.DataFrame) -> None:
    apart = toy_frame.assign(study_instance_uid=[f"1.3.{i}" for i in range(64)])
    raw = prediction_table(apart, np.zeros(64), "abc", None)
    assert raw["exam_id"].to_list() == raw["patient_id"].to_list()
    assert prediction_table(apart, np.zeros(64), "abc", KEY)["exam_id"].nunique() == 16


def test_the_same_exam_number_of_two_patients_is_two_exams(toy_frame: pd.DataFrame) -> None:
    bare = toy_frame.assign(study_instance_uid="", exam_id="1")
    hashed = prediction_table(bare, np.zeros(64), "abc", KEY)
    assert hashed["exam_id"].nunique() == 16
    raw = prediction_table(bare, np.zeros(64), "abc", None)
    assert set(raw["exam_id"]) == {"1"}
    assert len(aggregate(raw, "exam")) == 16


def test_modifiers_are_joined(toy_frame: pd.DataFrame) -> None:
    modifiers = [["M", "S"], ["ID"], *[[]] * 62]
    table = prediction_table(toy_frame.assign(view_modifiers=modifiers), np.zeros(64), "abc", KEY)
    assert table["view_modifiers"].to_list()[:3] == ["M;S", "ID", ""]


def test_images_of_a_unit_name_its_first_one_with_a_score(toy_frame: pd.DataFrame) -> None:
    logits = np.zeros(64)
    logits[0] = np.nan
    breasts = prediction_table(toy_frame, logits, "abc", KEY, "breast")
    assert breasts["unit_id"].to_list()[:5] == ["p00LMLO", "p00RCC", "p00RCC", "p01LCC", "p01LCC"]
    exams = prediction_table(toy_frame, logits, "abc", None, "exam")
    firsts = exams["unit_id"].to_list()[:4]
    assert firsts[0] == firsts[1] == firsts[2] != firsts[3]
    assert firsts[0] in set(exams["image_id"])
    assert "unit_id" not in prediction_table(toy_frame, logits, "abc", KEY).columns


def test_the_key_lies_beside_the_manifest() -> None:
    assert key_path(Path("a/m.parquet")) == Path("a/m.key")
