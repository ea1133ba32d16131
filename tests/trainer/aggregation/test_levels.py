import pandas as pd
import pytest

from dali_pipelines.errors import DatasetError
from trainer.aggregation.levels import LEVELS, aggregate
from trainer.aggregation.policy import parse_aggregation

IMAGES = pd.DataFrame(
    [
        ("i1", "A", "x", "L", "CC", 0.2, 0),
        ("i2", "A", "x", "L", "MLO", 0.6, 1),
        ("i3", "A", "x", "R", "CC", 0.3, 0),  # its MLO is missing
        ("i4", "B", "x", "R", "CC", 0.1, 0),
        ("i5", "B", "x", "R", "CC", 0.2, 0),  # taken twice
        ("i6", "B", "x", "R", "MLO", 0.6, 0),
        ("i7", "C", "x", "", "CC", 0.9, None),
        ("i8", "C", "x", "L", "CC", 0.5, 0),
        ("i9", "A", "y", "L", "CC", 0.8, 0),  # her second exam, of one breast
    ],
    columns=["image_id", "patient_id", "exam_id", "laterality", "view", "prob", "cancer"],
).astype({"cancer": "Int8"})


def scores(table: pd.DataFrame, keys: list[str]) -> dict[object, float]:
    return {key: round(p, 12) for key, p in table.set_index(keys)["prob"].items()}


def test_a_breast_is_the_mean_of_its_images() -> None:
    breasts = aggregate(IMAGES, "breast")
    assert scores(breasts, ["patient_id", "exam_id", "laterality"]) == {
        ("A", "x", "L"): 0.4,
        ("A", "x", "R"): 0.3,
        ("A", "y", "L"): 0.8,
        ("B", "x", "R"): 0.3,
        ("C", "x", "?"): 0.9,
        ("C", "x", "L"): 0.5,
    }
    assert breasts["images"].to_list() == [2, 1, 1, 3, 1, 1]


def test_an_exam_is_the_greatest_of_its_breasts() -> None:
    exams = aggregate(IMAGES, "exam")
    wanted = {("A", "x"): 0.4, ("A", "y"): 0.8, ("B", "x"): 0.3, ("C", "x"): 0.9}
    assert scores(exams, ["patient_id", "exam_id"]) == wanted
    assert exams[["images", "breasts"]].to_numpy().tolist() == [[3, 2], [1, 1], [3, 1], [2, 2]]


def test_a_patient_is_the_greatest_of_her_exams() -> None:
    patients = aggregate(IMAGES, "patient")
    assert scores(patients, ["patient_id"]) == {"A": 0.8, "B": 0.3, "C": 0.9}
    counts = patients[["images", "breasts", "exams"]].to_numpy().tolist()
    assert counts == [[4, 3, 2], [3, 1, 1], [2, 2, 1]]


def test_each_step_has_its_own_rule() -> None:
    how = parse_aggregation("max/noisy-or/mean")
    assert scores(aggregate(IMAGES, "breast", how), ["patient_id", "exam_id", "laterality"])[
        "A", "x", "L"
    ] == pytest.approx(0.6)
    exams = scores(aggregate(IMAGES, "exam", how), ["patient_id", "exam_id"])
    assert exams["A", "x"] == pytest.approx(0.72)  # 1 - (1 - 0.6)(1 - 0.3)
    assert exams["C", "x"] == pytest.approx(0.95)  # 1 - 0.1 * 0.5
    patients = scores(aggregate(IMAGES, "patient", how), ["patient_id"])
    assert patients["A"] == pytest.approx(0.76)  # (0.72 + 0.8) / 2


def test_one_positive_image_makes_all_it_belongs_to_positive() -> None:
    assert aggregate(IMAGES, "breast")["cancer"].to_list() == [1, 0, 0, 0, pd.NA, 0]
    assert aggregate(IMAGES, "exam")["cancer"].to_list() == [1, 0, 0, 0]
    assert aggregate(IMAGES, "patient")["cancer"].to_list() == [1, 0, 0]


def test_fold_and_recipe_come_along_and_labels_are_not_needed() -> None:
    bare = IMAGES.drop(columns="cancer").assign(fold=[0, 0, 0, 1, 1, 1, 2, 2, 0], recipe_hash="abc")
    patients = aggregate(bare, "patient")
    assert patients["fold"].to_list() == [0, 1, 2]
    assert set(patients["recipe_hash"]) == {"abc"}
    assert "cancer" not in patients.columns


def test_other_columns_are_carried_as_first_known() -> None:
    site = IMAGES.assign(
        site=["", "s1", "s2", None, None, None, "s3", "s3", "s1"],
        maker=pd.Categorical(["a", "b", "b", None, "c", "c", "d", "d", "b"]),
        age=pd.array([None, 50, 60, 40, 40, 40, None, None, 51], "Int16"),
    )
    patients = aggregate(site, "patient", carry=("site", "maker", "age", "absent", "patient_id"))
    assert patients["site"].fillna("-").to_list() == ["s1", "-", "s3"]
    assert patients["maker"].to_list() == ["a", "c", "d"]
    assert patients["age"].fillna(-1).to_list() == [50, 40, -1]
    assert "absent" not in patients.columns


def test_without_exams_a_patient_has_one() -> None:
    exams = aggregate(IMAGES.drop(columns="exam_id"), "exam")
    assert exams["exam_id"].to_list() == exams["patient_id"].to_list() == ["A", "B", "C"]
    assert exams["breasts"].to_list() == [2, 1, 2]


@pytest.mark.parametrize("level", LEVELS[1:])
def test_the_order_of_rows_does_not_matter(level: str) -> None:
    how = parse_aggregation("noisy-or/top2/q90,repeated=mean,odd=drop")
    shuffled = IMAGES.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(
        aggregate(shuffled, level, how), aggregate(IMAGES, level, how), check_exact=True
    )


def test_images_are_left_as_they_are() -> None:
    assert aggregate(IMAGES, "image") is IMAGES


def test_an_empty_table_has_no_rows() -> None:
    for level in LEVELS:
        assert aggregate(IMAGES.iloc[:0], level).empty


def test_an_image_without_a_score_does_not_count() -> None:
    breasts = aggregate(
        IMAGES.assign(prob=IMAGES["prob"].mask([False, True] + [False] * 7)), "breast"
    )
    assert breasts.iloc[0][["prob", "images", "cancer"]].to_list() == [0.2, 1, 0]


def test_a_missing_side_is_unknown_and_not_left_out() -> None:
    missing = IMAGES.assign(laterality=IMAGES["laterality"].replace("", None))
    sides = aggregate(missing, "breast")["laterality"].to_list()
    assert sides == ["L", "R", "L", "R", "?", "L"]


def test_a_missing_column_is_named() -> None:
    with pytest.raises(DatasetError, match="lack the columns laterality, patient_id"):
        aggregate(IMAGES[["image_id", "prob"]], "breast")
    with pytest.raises(DatasetError, match="3 rows of the predictions have no patient_id"):
        aggregate(IMAGES.replace({"patient_id": {"B": None}}), "breast")


def units(unit: list[str]) -> pd.DataFrame:
    """Four images of one exam: L CC, L MLO, R CC, R MLO, with the units that they are in."""
    return pd.DataFrame(
        {"patient_id": "p", "exam_id": "e", "laterality": ["L", "L", "R", "R"], "unit_id": unit}
    ).assign(view=["CC", "MLO"] * 2, prob=[{"a": 0.5, "b": 0.2, "c": 0.4}[u] for u in unit])


def test_a_breast_that_was_scored_at_once_counts_once() -> None:
    breasts = aggregate(units(["a", "a", "b", "b"]), "breast", parse_aggregation("noisy-or"))
    assert breasts["prob"].to_list() == [0.5, 0.2]
    assert breasts["images"].to_list() == [2, 2]
    exam = aggregate(units(["a", "a", "b", "b"]), "exam", parse_aggregation("noisy-or/noisy-or"))
    assert exam["prob"].to_list() == pytest.approx([0.6])  # 1 - 0.5 * 0.8


def test_a_second_unit_of_a_breast_is_another_score() -> None:
    breasts = aggregate(units(["a", "c", "b", "b"]), "breast", parse_aggregation("noisy-or"))
    assert breasts["prob"].to_list() == pytest.approx([0.7, 0.2])  # 1 - 0.5 * 0.6
    repeated = parse_aggregation("mean,repeated=mean")
    assert aggregate(units(["a", "c", "b", "b"]), "breast", repeated)["prob"].to_list() == [
        0.45,
        0.2,
    ]


def test_an_exam_that_was_scored_at_once_counts_once() -> None:
    how = parse_aggregation("noisy-or/noisy-or/noisy-or")
    whole = units(["a"] * 4)
    assert aggregate(whole, "breast", how)["prob"].to_list() == [0.5, 0.5]
    exam = aggregate(whole, "exam", how)
    assert exam[["prob", "images", "breasts"]].to_numpy().tolist() == [[0.5, 4, 2]]
    assert aggregate(whole, "patient", how)["prob"].to_list() == [0.5]


def test_a_second_unit_of_one_breast_joins_the_exam() -> None:
    how = parse_aggregation("noisy-or/noisy-or")
    exam = aggregate(units(["a", "a", "a", "b"]), "exam", how)
    assert exam["prob"].to_list() == pytest.approx([0.6])  # 1 - 0.5 * 0.8


def test_labels_are_of_all_images_whichever_take_part() -> None:
    odd = IMAGES.assign(view=["CC", "ML", *["CC"] * 7])
    breast = aggregate(odd, "breast", parse_aggregation("mean,odd=drop")).iloc[0]
    assert breast[["prob", "images", "cancer"]].to_list() == [0.2, 1, 1]
