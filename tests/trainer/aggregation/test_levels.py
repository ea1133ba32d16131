import pandas as pd
import pytest

from trainer.aggregation.levels import aggregate, breast_scores, patient_scores

IMAGES = pd.DataFrame(
    [
        ("i1", "A", "L", "CC", 0.2, 0),
        ("i2", "A", "L", "MLO", 0.6, 1),
        ("i3", "A", "R", "CC", 0.3, 0),  # its MLO is missing
        ("i4", "B", "R", "CC", 0.1, 0),
        ("i5", "B", "R", "CC", 0.2, 0),  # taken twice
        ("i6", "B", "R", "MLO", 0.6, 0),
        ("i7", "C", "", "CC", 0.9, None),
        ("i8", "C", "L", "CC", 0.5, 0),
    ],
    columns=["image_id", "patient_id", "laterality", "view", "prob", "cancer"],
).astype({"cancer": "Int8"})


def test_a_breast_is_the_mean_of_its_images() -> None:
    breasts = breast_scores(IMAGES).set_index(["patient_id", "laterality"])
    assert breasts["prob"].to_dict() == pytest.approx(
        {
            ("A", "L"): 0.4,
            ("A", "R"): 0.3,
            ("B", "R"): 0.3,
            ("C", "?"): 0.9,
            ("C", "L"): 0.5,
        }
    )
    assert breasts["images"].to_list() == [2, 1, 3, 1, 1]


def test_a_patient_is_the_greatest_of_the_breasts() -> None:
    patients = patient_scores(breast_scores(IMAGES)).set_index("patient_id")
    assert patients["prob"].to_dict() == pytest.approx({"A": 0.4, "B": 0.3, "C": 0.9})
    assert patients["breasts"].to_list() == [2, 1, 2]


def test_one_positive_image_makes_its_breast_and_patient_positive() -> None:
    breasts = breast_scores(IMAGES)
    assert breasts["cancer"].to_list() == [1, 0, 0, pd.NA, 0]
    assert patient_scores(breasts)["cancer"].to_list() == [1, 0, 0]


def test_fold_and_recipe_come_along_and_labels_are_not_needed() -> None:
    bare = IMAGES.drop(columns="cancer").assign(fold=[0, 0, 0, 1, 1, 1, 2, 2], recipe_hash="abc")
    patients = aggregate(bare, "patient")
    assert patients["fold"].to_list() == [0, 1, 2]
    assert set(patients["recipe_hash"]) == {"abc"}
    assert "cancer" not in patients.columns


def test_the_order_of_rows_does_not_matter() -> None:
    shuffled = IMAGES.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(aggregate(shuffled, "patient"), aggregate(IMAGES, "patient"))
    assert aggregate(IMAGES, "image") is IMAGES


def test_a_missing_side_is_unknown_and_not_left_out() -> None:
    missing = IMAGES.assign(laterality=IMAGES["laterality"].replace("", None))
    assert breast_scores(missing)["laterality"].to_list() == ["L", "R", "R", "?", "L"]
