"""Images that come later: nobody who has a fold moves, and the new ones are spread evenly."""

import numpy as np
import pandas as pd
import pytest

from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.kept_folds import count_moved, inherit_folds
from dali_pipelines.splits import (
    assign_folds,
    complete_folds,
    leakage_receipt,
    require_no_overlap,
)


def table(patients: int, first: int = 0) -> pd.DataFrame:
    """Two images a patient in one study; every fourth patient is positive."""
    number = np.repeat(np.arange(first, first + patients), 2)
    image = [f"{n}.{k % 2}" for k, n in enumerate(number)]
    return pd.DataFrame(
        {
            "image_id": image,
            "patient_id": [f"P{n:03}" for n in number],
            "study_instance_uid": [f"1.{n}" for n in number],
            "series_instance_uid": "",
            "sop_instance_uid": image,
            "sha256": "",
            "cancer": pd.array(number % 4 == 0, dtype="Int8"),
        }
    )


def grown(patients: int = 16, more: int = 8) -> pd.DataFrame:
    """A frame with four folds, and patients without; the new ones sort before some of the old."""
    split = assign_folds(table(patients, first=more), 4, seed=0)
    return pd.concat([table(more), split], ignore_index=True).sample(frac=1, random_state=3)


@pytest.mark.parametrize("seed", range(5))
def test_nobody_moves_and_the_new_are_even(seed: int) -> None:
    before = grown()
    after = complete_folds(before, None, seed)
    old = before["fold"].notna()
    assert after["fold"].dtype == "Int16"
    assert after["fold"][old].equals(before["fold"][old])
    require_no_overlap(after)
    counts = leakage_receipt(after).folds
    assert [(f.fold, f.patients, f.images) for f in counts] == [(k, 6, 12) for k in range(4)]
    assert sorted(f.positives for f in counts) == [2, 2, 4, 4], "six positive patients in 4 folds"
    turned = complete_folds(before.sample(frac=1, random_state=9), 4, seed)
    assert turned["fold"].sort_index().equals(after["fold"].sort_index())
    assert count_moved(before, after, "patient_id") == (0, 16)


def test_a_plain_split_moves_and_says_how_many() -> None:
    before = grown()
    after = assign_folds(before, 4, seed=0)
    moved = before.assign(now=after["fold"]).dropna(subset="fold").query("fold != now")
    patients = moved["patient_id"].nunique()
    assert patients > 0
    assert count_moved(before, after, "patient_id") == (patients, 16)
    assert count_moved(before.drop(columns="fold"), after, "patient_id") == (0, 0)


def test_new_images_follow_patient_study_codestream_and_label_patient() -> None:
    frame = table(6).assign(label_patient_id="")
    frame["fold"] = pd.array([3, 3] + [None] * 10, dtype="Int16")
    frame.loc[3, "patient_id"] = "P000"  # joins the rows 2 and 3, which share a study
    frame.loc[[0, 4], "sha256"] = "same"
    frame.loc[[1, 6], "label_patient_id"] = "L"
    assert inherit_folds(frame)["fold"].tolist() == [3] * 8 + [pd.NA] * 4
    assert complete_folds(frame, 4, 0)["fold"].tolist()[:8] == [3] * 8


def test_a_group_in_two_folds_is_not_followed() -> None:
    frame = table(4).assign(fold=pd.array([0, 1, 1, 1, None, None, 0, 0], dtype="Int16"))
    frame.loc[4, "patient_id"] = "P000"
    assert inherit_folds(frame)["fold"].isna().tolist() == [False] * 4 + [True] * 2 + [False] * 2
    with pytest.raises(DatasetError, match=r"1 patient groups .* image 0\.0, .* without --keep"):
        complete_folds(frame, None, 0)


def test_what_cannot_be_kept_is_said() -> None:
    with pytest.raises(ConfigError, match="has 4 folds, not 5; --keep"):
        complete_folds(grown(), 5, 0)
    with pytest.raises(DatasetError, match="no folds to keep"):
        complete_folds(table(8), None, 0)
    assert inherit_folds(table(8)).equals(table(8))
