"""Who belongs together: by patient id, study and codestream."""

import numpy as np
import pandas as pd
import pytest

from dali_pipelines.patient_groups import (
    describe_groups,
    find_links,
    is_nameless,
    join_patients,
    name_patients,
)

COLUMNS = ["patient_id", "study_instance_uid", "series_instance_uid", "sop_instance_uid", "sha256"]


def table(*rows: tuple[str, str, str]) -> pd.DataFrame:
    """(patient, study, hash) of each image."""
    whole = [(p, s, "", f"image{i}", h) for i, (p, s, h) in enumerate(rows)]
    return pd.DataFrame(whole, columns=COLUMNS).astype("str")


def groups(frame: pd.DataFrame) -> list[int]:
    return join_patients(name_patients(frame, "patient_id"), frame).tolist()


def test_patients_are_groups_numbered_by_name() -> None:
    assert groups(table(("b", "", ""), ("a", "", ""), ("b", "", ""), ("10", "", ""))) == [
        2,
        1,
        2,
        0,
    ]


def test_a_shared_codestream_or_study_joins_patients_through_others() -> None:
    frame = table(
        ("a", "1", "x"), ("b", "2", "x"), ("b", "3", "y"), ("c", "3", "z"), ("d", "4", "w")
    )
    assert groups(frame) == [0, 0, 0, 0, 1]
    assert describe_groups(frame, "patient_id") == [
        "3 patients share a study, an identical codestream or the label table's patient with "
        "another; they were kept together (groups: 1)"
    ]


def test_the_patient_of_the_label_table_joins_too_and_only_among_its_own() -> None:
    frame = table(("a", "1", ""), ("b", "2", ""), ("c", "3", ""), ("P1", "4", ""), ("d", "5", ""))
    frame["label_patient_id"] = ["P1", "P1", "", "", ""]
    assert groups(frame) == [1, 1, 2, 0, 3]
    assert find_links(frame) == ("study_instance_uid", "sha256", "label_patient_id")
    assert find_links(frame.drop(columns="label_patient_id")) == ("study_instance_uid", "sha256")


def test_an_empty_hash_or_study_joins_nobody() -> None:
    assert groups(table(("a", "", ""), ("b", "", ""))) == [0, 1]


def test_images_without_a_patient_go_by_study_else_by_themselves() -> None:
    frame = table(("", "1", ""), ("1", "1", ""), ("", "", ""), ("image3", "", ""), ("p", "2", ""))
    assert groups(frame) == [0, 0, 1, 2, 3]
    assert is_nameless(frame).tolist() == [True, True, True, True, False]
    assert describe_groups(frame, "patient_id") == [
        "4 images name no patient; each study was taken for one"
    ]


@pytest.mark.parametrize("seed", range(5))
def test_the_groups_do_not_depend_on_the_order_of_rows(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [(f"p{a}", f"s{b}", f"h{c}") for a, b, c in rng.integers(0, 30, (25, 3))]
    frame = table(*rows)
    order = rng.permutation(len(frame))
    turned = frame.iloc[order]
    assert np.array_equal(np.array(groups(frame))[order], groups(turned))
