import pandas as pd
import pytest

from dali_pipelines.errors import DatasetError
from dali_pipelines.manifest_schema import SCHEMA
from trainer.evaluation.evaluate import evaluate
from trainer.evaluation.joining import join_manifest
from trainer.evaluation.options import EvaluationOptions

MANIFEST = pd.DataFrame({field.name: [""] * 4 for field in SCHEMA}).assign(
    image_id=["a", "b", "c", "d"],
    sop_instance_uid=["1.1", "1.2", "1.3", "1.3"],
    frame=pd.array([None, None, 0, 1], dtype="Int32"),
    patient_id=["P", "P", "Q", "Q"],
    study_instance_uid=["S1", "S1", "S2", "S2"],
    laterality=["L", "R", "L", "L"],
    view=["CC", "CC", "MLO", "MLO"],
    manufacturer=["GE Healthcare", "GE Healthcare", "HOLOGIC", "HOLOGIC"],
    age=pd.array([41, 41, None, None], dtype="Int16"),
    cancer=pd.array([1, 0, None, 0], dtype="Int8"),
)
SCORES = pd.DataFrame({"image_id": ["d", "a", "b"], "prob": [0.1, 0.2, 0.3]})


def test_labels_and_groups_come_in_the_order_of_the_scores() -> None:
    joined = join_manifest(SCORES, MANIFEST)
    assert joined["prob"].tolist() == [0.1, 0.2, 0.3]
    assert joined["cancer"].tolist() == [0, 1, 0]
    assert joined["vendor"].tolist() == ["Hologic", "GE", "GE"]
    assert joined["age"].tolist() == ["", "40-49", "40-49"]


def test_who_it_is_comes_from_the_manifest_only_where_the_scores_do_not_say() -> None:
    joined = join_manifest(SCORES, MANIFEST)
    assert joined["patient_id"].tolist() == ["Q", "P", "P"]
    assert joined["exam_id"].tolist() == ["S2", "S1", "S1"]
    assert joined["laterality"].tolist() == ["L", "L", "R"]
    hashed = SCORES.assign(patient_id="h", exam_id="e", laterality="R", view="ML")
    kept = join_manifest(hashed, MANIFEST)
    for name in ("patient_id", "exam_id", "laterality", "view"):
        assert kept[name].tolist() == hashed[name].tolist()


def test_a_side_and_a_view_that_nobody_knows_are_there_as_such() -> None:
    nothing = MANIFEST.assign(laterality="", view="")
    joined = join_manifest(SCORES, nothing)
    assert joined["laterality"].tolist() == joined["view"].tolist() == ["", "", ""]
    assert evaluate(joined, EvaluationOptions(repeats=0)).levels["breast"].figures["n"] == 2


def test_raw_names_are_found_too_also_those_of_frames() -> None:
    raw = pd.DataFrame({"image_id": ["1.3:1", "1.2", "1.3:0"], "prob": 0.5})
    assert join_manifest(raw, MANIFEST)["cancer"].tolist() == [0, 0, pd.NA]


def test_labels_of_the_manifest_count_and_those_of_the_scores_where_it_has_none() -> None:
    labeled = SCORES.assign(cancer=[1, 1, 1])
    assert join_manifest(labeled, MANIFEST)["cancer"].tolist() == [0, 1, 0]
    bare = MANIFEST.assign(cancer=pd.array([None] * 4, dtype="Int8"))
    assert join_manifest(labeled, bare)["cancer"].tolist() == [1, 1, 1]
    for manifest in (bare, MANIFEST.drop(columns="cancer")):
        with pytest.raises(DatasetError, match="neither the predictions nor the manifest"):
            join_manifest(SCORES, manifest)


def test_an_image_that_is_not_there_is_counted() -> None:
    strange = pd.DataFrame({"image_id": ["a", "x", "y"], "prob": 0.5})
    with pytest.raises(DatasetError, match="2 of 3 predicted images are not in the manifest"):
        join_manifest(strange, MANIFEST)
    raw = pd.DataFrame({"image_id": ["1.1", "1.2", "1.9"], "prob": 0.5})
    with pytest.raises(DatasetError, match="1 of 3 predicted images are not in the manifest"):
        join_manifest(raw, MANIFEST)


def test_the_scores_that_were_given_stay_as_they_are() -> None:
    before = SCORES.copy()
    join_manifest(SCORES, MANIFEST)
    pd.testing.assert_frame_equal(SCORES, before)
