"""Folds by patient, and the receipt that counts for itself."""

import numpy as np
import pandas as pd
import pytest

from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.splits import assign_folds, leakage_receipt, require_no_overlap


def table(patients: int, positives: int, unlabeled: int = 0, views: int = 4) -> pd.DataFrame:
    """Four images a patient in one study; two of them are positive in the first patients."""
    number = np.repeat(np.arange(patients), views)
    image = np.arange(len(number))
    label = ((number < positives) & (image % views < views // 2)).astype(object)
    label[number >= patients - unlabeled] = None
    return pd.DataFrame(
        {
            "image_id": [f"id{i:04}" for i in image],
            "patient_id": [f"MRN{n}" for n in number],
            "study_instance_uid": [f"1.2.{n}" for n in number],
            "series_instance_uid": "",
            "sop_instance_uid": [f"1.2.3.{i}" for i in image],
            "sha256": [f"{i:064x}" for i in image],
            "cancer": pd.array([None if x is None else int(x) for x in label], dtype="Int8"),
        }
    )


def fold_of(frame: pd.DataFrame) -> dict[str, int]:
    return dict(zip(frame["image_id"], frame["fold"], strict=True))


def test_folds_are_even_and_whole() -> None:
    frame = assign_folds(table(40, positives=8, unlabeled=4), folds=4, seed=0)
    assert frame["fold"].dtype == "Int16"
    receipt = leakage_receipt(frame)
    assert receipt.clean
    assert (receipt.patients, receipt.studies, receipt.codestreams, receipt.notes) == (0, 0, 0, ())
    assert [(f.fold, f.patients, f.images, f.positives) for f in receipt.folds] == [
        (k, 10, 40, 4) for k in range(4)
    ]
    assert {f.prevalence for f in receipt.folds} == {4 / 36}


def test_neither_order_nor_chance_changes_the_folds_but_the_seed_does() -> None:
    frame = table(30, positives=6)
    turned = frame.sample(frac=1, random_state=1)
    folds = fold_of(assign_folds(frame, 3, seed=5))
    assert fold_of(assign_folds(turned, 3, seed=5)) == folds
    assert assign_folds(turned, 3, seed=5).index.tolist() == turned.index.tolist()
    assert fold_of(assign_folds(frame, 3, seed=6)) != folds
    renamed = frame.assign(image_id=frame["image_id"].iloc[::-1].to_numpy())  # another id key
    again = assign_folds(renamed, 3, seed=5)["fold"].tolist()
    assert again == assign_folds(frame, 3, seed=5)["fold"].tolist()


@pytest.mark.parametrize("seed", range(20))
def test_any_small_set_gives_folds_without_overlap_or_a_sentence(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame = table(int(rng.integers(2, 12)), positives=int(rng.integers(1, 4)), views=2)
    frame["sha256"] = [f"h{n}" for n in rng.integers(0, 40, len(frame))]
    split, refusal = None, ""
    try:
        split = assign_folds(frame, int(rng.integers(2, 5)), seed)
    except DatasetError as error:
        refusal = str(error)
    if split is None:
        assert "ask for fewer folds" in refusal
        return
    require_no_overlap(split)
    assert split.groupby("sha256")["fold"].nunique().max() == 1


def test_identical_codestreams_keep_two_patients_together() -> None:
    frame = table(12, positives=3)
    frame.loc[frame["patient_id"] == "MRN7", "sha256"] = frame.loc[0, "sha256"]
    for seed in range(8):
        split = assign_folds(frame, 4, seed)
        assert len(set(split[split["patient_id"].isin(["MRN0", "MRN7"])]["fold"])) == 1
    receipt = leakage_receipt(split)
    assert receipt.codestreams == 0
    assert "2 patients share" in receipt.notes[0]


def test_a_person_with_a_pseudonym_for_each_study_stays_whole() -> None:
    frame = table(24, positives=6)
    person = frame["patient_id"].str.removeprefix("MRN").astype(int) // 2
    frame["label_patient_id"] = "P" + person.astype(str)
    for seed in range(4):
        split = assign_folds(frame, 3, seed)
        require_no_overlap(split)
        assert split.groupby("label_patient_id")["fold"].nunique().max() == 1
    receipt = leakage_receipt(split)
    assert (receipt.label_patients, receipt.clean) == (0, True)
    assert "patients of the label table 0: clean" in receipt.text()


def test_an_overlap_by_the_label_table_alone_is_leakage() -> None:
    frame = assign_folds(table(8, positives=2), 2, seed=0).assign(label_patient_id="")
    assert leakage_receipt(frame).label_patients is None
    for fold in (0, 1):
        row = frame.index[frame["fold"] == fold][0]
        frame.loc[row, "label_patient_id"] = "SECRET"
    receipt = leakage_receipt(frame)
    assert (receipt.patients, receipt.studies, receipt.codestreams) == (0, 0, 0)
    assert receipt.label_patients == 1
    assert not receipt.clean
    assert "patients of the label table 1: LEAKAGE" in receipt.text()
    with pytest.raises(DatasetError, match="1 patients of the label table") as caught:
        require_no_overlap(frame)
    assert "SECRET" not in str(caught.value)


def test_groups_may_be_the_studies() -> None:
    frame = assign_folds(table(8, positives=2), 2, seed=0, group="study_instance_uid")
    require_no_overlap(frame, "study_instance_uid")
    assert leakage_receipt(frame, "study_instance_uid").clean


def test_an_overlap_is_counted_and_named_without_ids() -> None:
    frame = assign_folds(table(8, positives=2), 2, seed=0)
    for row in (0, 4, 8, 12):
        frame.loc[row, "fold"] = 1 - frame.loc[row, "fold"]
    receipt = leakage_receipt(frame)
    assert (receipt.patients, receipt.studies, receipt.codestreams) == (4, 4, 0)
    assert not receipt.clean
    assert "LEAKAGE" in receipt.text()
    with pytest.raises(DatasetError, match="4 patients, 4 studies, 0 identical") as caught:
        require_no_overlap(frame)
    assert "id0000, id0004, id0008;" in str(caught.value)
    assert "MRN" not in str(caught.value)
    assert "id0012" not in str(caught.value)


def test_each_kind_of_overlap_alone_is_refused() -> None:
    frame = assign_folds(table(8, positives=2), 2, seed=0)
    one, other = (frame.index[frame["fold"] == k][0] for k in (0, 1))
    for column, count in (("study_instance_uid", "1 studies"), ("sha256", "1 identical")):
        leaking = frame.copy()
        leaking.loc[one, column] = leaking.loc[other, column]
        with pytest.raises(DatasetError, match=count):
            require_no_overlap(leaking)
    require_no_overlap(frame)


def test_without_hashes_the_receipt_does_not_claim_them() -> None:
    frame = assign_folds(table(8, positives=2).assign(sha256=""), 2, seed=0)
    receipt = leakage_receipt(frame)
    assert receipt.codestreams is None
    assert receipt.clean
    assert "identical codestreams not hashed" in receipt.text()
    assert receipt.to_dict()["clean"] is True


def test_a_fold_without_a_label_has_no_prevalence() -> None:
    frame = table(4, positives=1).assign(fold=pd.array([0] * 8 + [1] * 8, dtype="Int16"))
    frame.loc[8:, "cancer"] = pd.NA
    text = leakage_receipt(frame).text().splitlines()
    assert text[1].split() == ["0", "2", "8", "2", "25.00", "%"]
    assert text[2].split() == ["1", "2", "8", "0", "-"]


def test_rows_without_a_fold_are_left_out() -> None:
    frame = table(4, positives=1).assign(fold=pd.array([0, 1] + [None] * 14, dtype="Int16"))
    assert leakage_receipt(frame.iloc[2:]).folds == ()
    with pytest.raises(DatasetError, match="1 patients"):
        require_no_overlap(frame)


@pytest.mark.parametrize(
    ("frame", "folds", "error", "message"),
    [
        (table(3, positives=1), 4, DatasetError, "3 patients cannot fill 4 folds"),
        (table(8, positives=0), 2, DatasetError, "holds only 0"),
        (table(8, positives=0, unlabeled=8), 2, DatasetError, "no label at all"),
        (table(8, positives=1).assign(cancer=5), 2, DatasetError, "must hold 0, 1 or nothing"),
        (table(8, positives=1).drop(columns="cancer"), 2, DatasetError, "no column 'cancer'"),
        (table(8, positives=1).drop(columns="patient_id"), 2, DatasetError, "'patient_id'"),
        (table(8, positives=1), 1, ConfigError, "2 or more"),
    ],
)
def test_what_cannot_be_split_is_said_in_a_sentence(
    frame: pd.DataFrame, folds: int, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        assign_folds(frame, folds, seed=0)


def test_a_table_without_folds_says_what_to_do() -> None:
    with pytest.raises(DatasetError, match="mammo split"):
        require_no_overlap(table(4, positives=1))
