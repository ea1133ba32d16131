"""Several manifests as one: who is whose patient, which image stays, what a set lacks."""

from pathlib import Path

import pandas as pd
import pytest

from dali_pipelines.catalog.combine import combine, parse_parts
from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.manifest_schema import SCHEMA, to_pandas
from dali_pipelines.patient_groups import join_patients, name_patients
from dali_pipelines.splits import assign_folds, require_no_overlap
from dali_pipelines.verdicts import Reason


def manifest(*rows: tuple[str, str, str], **columns: object) -> pd.DataFrame:
    """One row each (patient, SOP Instance UID, hash); other columns are empty, or as given."""
    frame = to_pandas(SCHEMA.empty_table()).reindex(range(len(rows)))
    for name in frame.select_dtypes(["object", "string", "str"]):
        frame[name] = ""
    frame["patient_id"] = [row[0] for row in rows]
    frame["sop_instance_uid"] = [row[1] for row in rows]
    frame["study_instance_uid"] = [f"study of {row[1]}" for row in rows]
    frame["image_id"] = [f"id of {row[1]}" for row in rows]
    frame["path"] = [f"/data/{k}" for k in range(len(rows))]
    frame["sha256"] = [row[2] for row in rows]
    return frame.assign(**columns)


def test_equal_patient_ids_of_two_sets_stay_two_patients() -> None:
    one = manifest(("1", "a", "A"), ("2", "b", "B"))
    other = manifest(("1", "c", "C"), ("", "d", "D"))
    found = combine({"rsna": one, "spr": other})
    assert found.frame["patient_id"].tolist() == ["rsna/1", "rsna/2", "spr/1", ""]
    assert found.frame["dataset"].tolist() == ["rsna", "rsna", "spr", "spr"]
    assert (found.images, found.repeated) == ({"rsna": 2, "spr": 2}, ())
    assert one["patient_id"].tolist() == ["1", "2"]  # what was given is as it was


def test_a_codestream_that_two_sets_share_keeps_its_patients_together() -> None:
    found = combine({"x": manifest(("1", "a", "same")), "y": manifest(("7", "b", "same"))}).frame
    assert len(found) == 2  # other objects by their UIDs
    assert join_patients(name_patients(found, "patient_id"), found).tolist() == [0, 0]


def test_an_image_of_two_sets_stays_once_and_the_other_is_a_reject() -> None:
    one = manifest(("1", "a", "A"), ("1", "b", "B"))
    other = manifest(("9", "b", "B"), ("9", "a", "other"), ("9", "c", "C"))
    found = combine({"x": one, "y": other})
    assert found.frame["sop_instance_uid"].tolist() == ["a", "b", "c"]
    assert [(r.path, r.reason) for r in found.repeated] == [
        ("/data/0", Reason.DUPLICATE),
        ("/data/1", Reason.DUPLICATE_CONFLICT),
    ]
    assert found.repeated[0].detail == ("the same codestream as image id of b of x, which was kept")
    assert found.images == {"x": 2, "y": 1}


def test_a_set_of_which_nothing_stays_is_told() -> None:
    one, other = manifest(("1", "a", "A"), ("2", "b", "B")), manifest(("3", "b", "B"))
    assert combine({"x": one, "y": other}).warnings() == [
        "no image of y stayed: an earlier set has all of them"
    ]
    assert combine({"y": other, "x": one}).warnings() == []


def test_columns_that_a_set_lacks_are_empty_there() -> None:
    cancer = pd.array([1], "Int8")
    one = manifest(("1", "a", "A"), cancer=cancer, fold=pd.array([3], "Int16"))
    other = manifest(("1", "b", "B"), site_id=pd.array(["s"], "str"))
    found = combine({"x": one, "y": other}).frame
    assert found["cancer"].tolist() == [1, pd.NA]
    assert found["cancer"].dtype == "Int8"
    assert found["fold"].tolist() == [3, pd.NA]
    assert found["site_id"].tolist() == ["", "s"]


def test_the_patient_of_the_label_table_is_named_by_set_too() -> None:
    one = manifest(("a", "a", "A"), label_patient_id=pd.array(["1"], "str"))
    other = manifest(("b", "b", "B"), ("c", "c", "C"), label_patient_id=pd.array(["1", ""], "str"))
    found = combine({"x": one, "y": other}).frame
    assert found["label_patient_id"].tolist() == ["x/1", "y/1", ""]
    assert len(set(join_patients(name_patients(found, "patient_id"), found))) == 3


def spr_part(patient: str, uid: str) -> pd.DataFrame:
    """One image as the adapter spr labels it; the header's patient is another one for each exam."""
    columns = {"dataset": "spr", "label_patient_id": patient, "label_rule": "spr/recall"}
    text = {name: pd.array([value], "str") for name, value in columns.items()}
    return manifest((f"anon {uid}", uid, uid), cancer=pd.array([1], "Int8"), **text)


def test_a_patient_of_two_parts_of_one_data_set_is_in_one_fold() -> None:
    found = combine({"part1": spr_part("7", "a"), "part2": spr_part("7", "b")})
    assert found.frame["label_patient_id"].tolist() == ["spr/7", "spr/7"]
    names = name_patients(found.frame, "patient_id")
    assert names.tolist() == ["part1/anon a", "part2/anon b"]
    assert join_patients(names, found.frame).tolist() == [0, 0]
    assert found.warnings() == []


def test_ids_of_several_sets_that_nothing_joins_are_told() -> None:
    one = manifest(("1", "a", "A"), ("1", "b", "B"), ("2", "c", "C"), ("", "d", "D"))
    found = combine({"x": one, "y": manifest(("1", "e", "E"), ("", "f", "F"))})
    assert found.same_ids == 1
    (sentence,) = found.warnings()
    assert sentence.startswith("1 patient id in more than one set, taken for different patients;")


def test_labels_made_by_different_rules_are_told() -> None:
    rsna = spr_part("8", "b").assign(label_rule="rsna/cancer")
    vindr = spr_part("9", "c").assign(label_rule="vindr/cancer")
    unlabeled = spr_part("1", "d").assign(label_rule="")
    assert combine({"r": rsna, "v": vindr, "u": unlabeled}).warnings() == []
    assert combine({"s": spr_part("7", "a"), "r": rsna, "v": vindr}).warnings() == [
        "labels were made by different rules, and mean different things: r by rsna/cancer; "
        "s by spr/recall; v by vindr/cancer"
    ]


@pytest.mark.parametrize(
    ("first", "second", "lost"), [(0, 1, 1), (None, 0, 1), (1, 1, 0), (1, None, 0)]
)
def test_a_label_that_is_dropped_with_its_image_is_told(
    first: int | None, second: int | None, lost: int
) -> None:
    one, other = (
        manifest(
            ("1", "a", "A"), (patient, f"own {patient}", ""), cancer=pd.array([label, 0], "Int8")
        )
        for patient, label in (("1", first), ("2", second))
    )
    found = combine({"x": one, "y": other.assign(patient_id="2")})
    assert found.lost_labels == lost
    told = ["1 repeated image had another label than the one kept"]
    assert found.warnings() == (told if lost else [])


def test_a_column_of_two_types_is_one_sentence() -> None:
    one = manifest(("1", "a", "A"), score=pd.array([1], "Int8"))
    other = manifest(("1", "b", "B"), score=pd.array(["1"], "str"))
    with pytest.raises(DatasetError, match="'score' holds Int8 in one manifest and str in another"):
        combine({"x": one, "y": other})


def test_folds_of_all_sets_together_do_not_leak() -> None:
    rows = [(str(k), f"u{k}", f"h{k}") for k in range(20)]
    cancer = pd.array([k % 4 == 0 for k in range(20)], "Int8")
    twin = [(p, f"t{uid}", h if p == "4" else f"t{h}") for p, uid, h in rows]
    found = combine({"x": manifest(*rows, cancer=cancer), "y": manifest(*twin, cancer=cancer)})
    split = assign_folds(found.frame, 2, seed=1)
    require_no_overlap(split)
    of_four = split.loc[split["patient_id"].isin(["x/4", "y/4"]), "fold"]
    assert (len(of_four), of_four.nunique()) == (2, 1)


def test_parts_are_names_and_paths() -> None:
    assert parse_parts(["a=x.parquet", "b-2=y=z.parquet"]) == {
        "a": Path("x.parquet"), "b-2": Path("y=z.parquet"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        (["a.parquet", "b=b.parquet"], "NAME=MANIFEST"),
        (["a/b=a.parquet", "b=b.parquet"], "NAME=MANIFEST"),
        (["a=", "b=b.parquet"], "NAME=MANIFEST"),
        (["a=a.parquet", "a=b.parquet"], "two data sets are named 'a'"),
        (["a=a.parquet"], "one data set needs no combining"),
    ],
)
def test_wrong_parts_are_one_sentence(parts: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        parse_parts(parts)
