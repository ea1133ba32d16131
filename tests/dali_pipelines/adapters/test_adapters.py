"""Labels joined to a manifest: the three layouts, gaps, contradictions and leftovers."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from dali_pipelines.adapters import JoinReport, join_labels, read_labels
from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.manifest import read_manifest, write_manifest
from dali_pipelines.manifest_rows import to_frame, to_records
from dali_pipelines.records import ImageRecord

RecordOf = Callable[..., ImageRecord]
Join = Callable[..., tuple[pd.DataFrame, JoinReport]]


@pytest.fixture
def join(tmp_path: Path) -> Join:
    """join(frame, text of the table, adapter, ...)"""

    def call(frame: pd.DataFrame, text: str, adapter: str, *more: str):
        (tmp_path / "labels.csv").write_text(text)
        return join_labels(frame, [tmp_path / "labels.csv"], adapter, *more)

    return call


def values(frame: pd.DataFrame, name: str) -> list[object]:
    return [None if value is pd.NA else value for value in frame[name]]


def test_rsna_fills_what_stripped_headers_lack(record_of: RecordOf, join: Join) -> None:
    stripped = {"patient_id": "1.2", "study_instance_uid": "1.2", "flags": ("no_view", "sc")}
    frame = to_frame(
        [
            record_of(path="/d/10/0123.dcm", **stripped),
            record_of(path="/d/10/0124.dicom", laterality="R", flags=("no_view",), patient_id="10"),
            record_of(path="/d/z.zip", member="11/0125.DCM", laterality="L", age_years=40),
            record_of(path="/d/10/999.dcm"),
        ]
    )
    text = (
        "site_id,patient_id,image_id,laterality,view,age,cancer,BIRADS,density,machine_id\n"
        "2,10,0123,L,MLO,61.0,0,,,49\n"
        "2,10,0124,R,CC,61.0,1,0.0,B,49\n"
        "1,11,0125,R,AT,95,0,2.0,A,21\n"
        "1,12,0126,R,AT,,0,2.0,A,21\n"
        "1,12,0126,R,AT,,0,2.0,A,21\n"
    )
    joined, report = join(frame, text, "rsna")
    assert values(joined, "cancer") == [0, 1, 0, None]
    assert values(joined, "patient_id") == ["10", "10", "11", ""]
    assert values(joined, "laterality") == ["L", "R", "L", ""]
    assert values(joined, "view") == ["MLO", "CC", "AT", ""]
    assert values(joined, "age") == [61, 61, 40, None]
    assert values(joined, "birads") == [None, 0, 2, None]
    assert values(joined, "density") == ["", "B", "A", ""]
    assert values(joined, "site_id") == ["2", "2", "1", ""]
    assert values(joined, "dataset") == ["rsna"] * 4
    assert [list(flags) for flags in joined["flags"]] == [["sc"], [], ["laterality_conflict"], []]
    assert values(joined, "status") == ["flagged", "ok", "flagged", "ok"]
    assert report == JoinReport(3, 1, 2, 1, {"laterality": 1, "age": 1})
    assert "2 rows without an image" in report.text()
    assert frame["laterality"].tolist() == ["", "R", "L", ""]  # the given frame is untouched


def test_tables_say_of_implants_what_headers_do_not(record_of: RecordOf, join: Join) -> None:
    said = (None, None, None, True, False)
    frame = to_frame([record_of(path=f"/d/{i}.dcm", implant=one) for i, one in enumerate(said)])
    cells = ("1.0", "no", "", "1", "1")
    text = "image_id,cancer,implant\n" + "".join(f"{i},0,{c}\n" for i, c in enumerate(cells))
    joined, report = join(frame, text, "rsna", "cancer")
    assert values(joined, "implant") == [True, False, None, True, False]
    assert joined["implant"].dtype == frame["implant"].dtype
    assert [list(flags) for flags in joined["flags"]] == [["implant"], [], [], [], []]
    assert values(joined, "status") == ["flagged", "ok", "ok", "ok", "ok"]
    assert report.disagreements == {"implant": 1}
    to_records(joined)  # a manifest still


def test_a_side_that_is_only_inferred_gives_way_to_the_one_stated(
    record_of: RecordOf, join: Join
) -> None:
    inferred = {"laterality": "L", "flags": ("laterality_inferred",)}
    frame = to_frame([record_of(path=f"/d/{i}.dcm", **inferred) for i in range(3)])
    joined, report = join(frame, "image_id,laterality,view,cancer\n0,R,,1\n1,L,,0\n2,,,0\n", "rsna")
    assert values(joined, "laterality") == ["R", "L", "L"]
    assert [list(flags) for flags in joined["flags"]] == [
        ["laterality_conflict"], [], ["laterality_inferred"],
    ]  # fmt: skip
    assert values(joined, "status") == ["flagged", "ok", "flagged"]
    assert report.disagreements == {}


def test_each_label_says_by_which_rule_it_was_made(record_of: RecordOf, join: Join) -> None:
    frame = to_frame([record_of(path="/d/1.dcm"), record_of(path="/d/2.dcm")])
    text = "image_id,cancer,biopsy,BIRADS\n1,1,0,0\n2,,1,\n"
    for more, expected in (
        ((), ["rsna/cancer", ""]),
        ((None, "recall"), ["rsna/recall", ""]),
        (("Biopsy",), ["rsna/column biopsy"] * 2),
    ):
        joined, _ = join(frame, text, "rsna", *more)
        assert values(joined, "label_rule") == expected
        assert joined["label_rule"].dtype == "str"


def test_rsna_test_table_gives_no_labels(record_of: RecordOf, join: Join) -> None:
    frame = to_frame([record_of(path="/d/1.dcm")])
    text = "patient_id,image_id,laterality,view,prediction_id\n7,1,L,CC,7_L\n"
    joined, report = join(frame, text, "rsna")
    assert values(joined, "cancer") == [None]
    assert joined["cancer"].dtype == "Int8"
    assert values(joined, "patient_id") == ["7"]
    assert report.labeled_images == 0


def test_spr_labels_the_breast_that_was_recalled(record_of: RecordOf, join: Join) -> None:
    exams = {"N": "000012", "L": "000345", "R": "678901", "B": "000007"}
    frame = to_frame(
        [
            record_of(path=f"/spr/dicoms/{folder}/1.2.{side or 'x'}", laterality=side)
            for folder in exams.values()
            for side in ("L", "R", "B", "")
        ]
    )
    text = (
        "AccessionNumber,PatientID,Laterality,target\n12,a,N,0\n345,b,L,1\n678901,c,R,1\n7,d,B,1\n"
    )
    joined, report = join(frame, text, "spr")
    assert values(joined, "cancer") == [
        *(0, 0, 0, 0),
        *(1, 0, 1, None),
        *(0, 1, 1, None),
        *(1, 1, 1, 1),
    ]
    assert values(joined, "patient_id") == [p for p in "abcd" for _ in range(4)]
    assert (report.labeled_images, report.rows_without_image) == (14, 0)


def test_spr_finds_exams_by_accession_number_too(record_of: RecordOf, join: Join) -> None:
    frame = to_frame([record_of(path="/flat/x.dcm", exam_id="0012", laterality="L")])
    joined, report = join(frame, "AccessionNumber,Laterality,target\n12,N,0\n13,N,0\n", "spr")
    assert values(joined, "cancer") == [0]
    assert report.rows_without_image == 1


def test_spr_takes_a_blank_laterality_of_a_negative_exam_for_none(
    record_of: RecordOf, join: Join
) -> None:
    frame = to_frame([record_of(path="/flat/x.dcm", exam_id="12", laterality="L")])
    joined, _ = join(frame, "AccessionNumber,Laterality,target\n12,,0\n13,NaN,0\n", "spr")
    assert values(joined, "cancer") == [0]


@pytest.mark.parametrize("folder", ["123", "000123"])
@pytest.mark.parametrize("cell", ["123", "000123"])
def test_spr_numbers_meet_with_and_without_leading_zeros(
    record_of: RecordOf, join: Join, folder: str, cell: str
) -> None:
    frame = to_frame([record_of(path=f"/spr/dicoms/{folder}/1.2", exam_id="9", laterality="L")])
    joined, _ = join(frame, f"AccessionNumber,Laterality,target\n{cell},L,1\n", "spr")
    assert values(joined, "cancer") == [1]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            "12,N,1\n13,L,0\n",
            "'target' must be 0 where Laterality is N, and 1 elsewhere; lines 2, 3",
        ),
        ("12,X,1\n", "must hold N, L, R, B or nothing; line 2"),
        ("12,,0\n13,,1\n14,,\n", "'Laterality' may be blank only where 'target' is 0; lines 3, 4"),
        ("12,N,.5\n", "'target' must hold 0, 1"),
        ("12,N,0\n012,L,1\n", "contradict each other, lines 2, 3"),
    ],
)
def test_spr_tables_that_contradict_themselves(
    record_of: RecordOf, join: Join, rows: str, message: str
) -> None:
    frame = to_frame([record_of(path="/d/000012/1", laterality="L")])
    with pytest.raises(DatasetError, match=message):
        join(frame, "AccessionNumber,Laterality,target\n" + rows, "spr")


@pytest.mark.parametrize("name", ["1.2.1", "ab1", "1.5.1", "x1"])
def test_csv_finds_images_by_uid_id_or_file(record_of: RecordOf, join: Join, name: str) -> None:
    place = "/d/x1.dcm" if name == "x1" else "/d/1.5.1"
    records = [
        record_of(sop_instance_uid="1.2.1", image_id="ab1", path=place),
        record_of(sop_instance_uid="1.2.2", image_id="ab2", path="/d/1.5.2"),
    ]
    joined, report = join(to_frame(records), f"image_id,label\n{name},1\n", "csv")
    assert values(joined, "cancer") == [1, None]
    assert report.images_without_label == 1


def test_csv_takes_the_label_column_it_is_told(record_of: RecordOf, join: Join) -> None:
    frame = to_frame([record_of(sop_instance_uid="1.2.1"), record_of(sop_instance_uid="1.2.2")])
    joined, _ = join(frame, "sop_instance_uid,Y,cancer\n1.2.2,0,1\n", "csv", "y")
    assert values(joined, "cancer") == [None, 0]


def test_csv_paths_are_from_the_folder_of_the_table(
    record_of: RecordOf, join: Join, tmp_path: Path
) -> None:
    frame = to_frame(
        [
            record_of(path=str(tmp_path / "a" / "1.dcm")),
            record_of(path="/far/z.zip", member="m/2"),
            record_of(path=str(tmp_path / "b\\c")),
        ]
    )
    text = "path,cancer\n./a/../a/1.dcm,1\n/far/z.zip/m/2,0\nb\\c,1\n"
    joined, report = join(frame, text, "csv")
    assert values(joined, "cancer") == [1, 0, 1]
    assert report.rows_without_image == 0


def test_paths_below_a_linked_folder_find_their_images(
    record_of: RecordOf, join: Join, tmp_path: Path
) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "1.dcm").touch()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "link.zip").symlink_to("real.zip")
    for scanned, named in (("link", "real"), ("real", "link"), ("link", "link")):
        frame = to_frame(
            [
                record_of(path=str(tmp_path / scanned / "1.dcm")),
                record_of(path=str(tmp_path / f"{scanned}.zip"), member="m/2"),
            ]
        )
        joined, _ = join(frame, f"path,cancer\n{named}/1.dcm,1\n{named}.zip/m/2,0\n", "csv")
        assert values(joined, "cancer") == [1, 0]


def test_the_patient_of_the_table_is_kept_beside_the_one_of_the_header(
    record_of: RecordOf, join: Join
) -> None:
    names = ("ANON1", "ANON2", "", "P2")
    frame = to_frame(
        [record_of(sop_instance_uid=f"1.{i}", patient_id=name) for i, name in enumerate(names)]
    )
    joined, report = join(
        frame, "image_id,patient_id,cancer\n1.0,P1,1\n1.1,P1,0\n1.2,P1,0\n", "csv"
    )
    assert values(joined, "patient_id") == ["ANON1", "ANON2", "P1", "P2"]
    assert values(joined, "label_patient_id") == ["P1", "P1", "P1", ""]
    assert report.disagreements == {"patient_id": 2}
    assert "2 images whose header has another patient_id (both kept)" in report.text()
    unnamed, _ = join(frame, "image_id,cancer\n1.0,1\n", "csv")
    assert "label_patient_id" not in unnamed.columns


def test_sides_and_views_come_from_closed_tables(record_of: RecordOf, join: Join) -> None:
    frame = to_frame([record_of(sop_instance_uid=f"1.{i}") for i in range(4)])
    text = (
        "image_id,laterality,view,cancer\n"
        "1.0,Left,mlo,0\n1.1,BOTH,JANE DOE,0\n1.2,r,R-CC,1\n1.3,,xccl,0\n"
    )
    joined, _ = join(frame, text, "csv")
    assert values(joined, "laterality") == ["L", "B", "R", ""]
    assert values(joined, "view") == ["MLO", "", "CC", "XCCL"]
    with pytest.raises(DatasetError, match=r"L, R, B \(both\) or nothing; lines 2, 4") as caught:
        join(frame, "image_id,laterality,cancer\n1.0,Benign,0\n1.1,L,0\n1.2,right/left,1\n", "csv")
    assert "Benign" not in str(caught.value)


def test_contradictions_are_found_without_any_image(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("image_id,cancer\n1,1\n2,0\n1,0\n")
    with pytest.raises(DatasetError, match="contradict each other, lines 2, 4"):
        read_labels([tmp_path / "t.csv"], "csv")
    (tmp_path / "t.csv").write_text("path,cancer\na\0b,1\n")
    with pytest.raises(DatasetError, match="must hold paths; line 2"):
        read_labels([tmp_path / "t.csv"], "csv")


def test_the_manifest_keeps_the_labels(record_of: RecordOf, join: Join, tmp_path: Path) -> None:
    frame = to_frame([record_of(sop_instance_uid="1"), record_of(sop_instance_uid="2")])
    text = "image_id,cancer,laterality,density\n1,1,r,c\n"
    joined, _ = join(frame, text, "csv")
    write_manifest(joined, tmp_path / "m.parquet")
    back = read_manifest(tmp_path / "m.parquet")
    pd.testing.assert_frame_equal(back, joined)
    assert [record.tags.laterality for record in to_records(back)] == ["R", ""]


@pytest.mark.parametrize(
    ("text", "adapter", "message"),
    [
        ("id,cancer\n1,1\n", "csv", "no column 'image_id' or 'sop_instance_uid' or 'path'"),
        ("image_id,y\n1,1\n", "csv", "no column 'cancer' or 'label'"),
        ("image_id,cancer\n1,2\n", "csv", "line 2"),
        ("image_id,cancer\n9,1\n", "csv", "none of the 1 labels"),
        (
            "image_id,cancer\n1,1\n1,0\n2,0\n",
            "csv",
            "rows of 1 image contradict each other, lines 2, 3; keep",
        ),
        ("image_id,cancer\n1,1\n1,\n", "csv", "lines 2, 3"),
        ("image_id,view\n1,CC\n", "rsna", "no column 'cancer'"),
        ("image_id,cancer\n1,1\n", "spr", "no column 'AccessionNumber'"),
    ],
)
def test_labels_that_cannot_be_used_are_refused(
    record_of: RecordOf, join: Join, text: str, adapter: str, message: str
) -> None:
    frame = to_frame([record_of(sop_instance_uid="1", path="/d/x")])
    with pytest.raises(DatasetError, match=message):
        join(frame, text, adapter)


@pytest.mark.parametrize("key", ["sop_instance_uid,cancer\n1.2,1\n", "image_id,cancer\nx,1\n"])
def test_a_label_of_an_object_reaches_all_its_frames(
    record_of: RecordOf, join: Join, key: str
) -> None:
    frames = [record_of(path="/a/x.dcm", sop_instance_uid="1.2", frame=k) for k in range(3)]
    other = record_of(path="/b/y.dcm", sop_instance_uid="1.3")
    joined, report = join(to_frame([*frames, other]), key, "csv")
    assert joined["cancer"].fillna(-1).tolist() == [1, 1, 1, -1]
    assert report.labeled_images == 3


def test_a_name_shared_by_two_files_labels_neither(record_of: RecordOf, join: Join) -> None:
    frame = to_frame([record_of(path="/a/1.dcm"), record_of(path="/b/1.dcm")])
    with pytest.raises(DatasetError, match="2 images share the name"):
        join(frame, "image_id,cancer\n1,1\n", "csv")


def test_wrong_settings_are_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("AccessionNumber,Laterality,target\n1,N,0\n")
    with pytest.raises(ConfigError, match="Did you mean 'rsna'"):
        read_labels([tmp_path / "t.csv"], "rsna23")
    with pytest.raises(ConfigError, match="leave out --label-column"):
        read_labels([tmp_path / "t.csv"], "spr", "target")
