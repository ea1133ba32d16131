"""Which data set tables are of, told by their columns; files other than CSV."""

import sys
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from dali_pipelines.adapters import ADAPTERS, describe_adapters, read_labels
from dali_pipelines.adapters.formats import open_table
from dali_pipelines.adapters.label_rules import RULES
from dali_pipelines.adapters.layouts import LAYOUTS
from dali_pipelines.adapters.table_text import read_header
from dali_pipelines.errors import ConfigError, DatasetError, DeviceError
from tests.dali_pipelines.adapters.test_named_sets import CALC, CMMD, INBREAST, MASS, MIAS
from tests.dali_pipelines.adapters.test_screening_sets import (
    CLINICAL,
    CSAW,
    METADATA,
    MIRAI,
    RSNA,
    VINDR,
)

SPR = "AccessionNumber,PatientID,Laterality,target\n12,a,N,0\n345,b,L,1\n"
TABLES = {
    "csv": {"t.csv": "path,label,site_id\na.dcm,1,3\n"},
    "rsna": {"train.csv": RSNA},
    "spr": {"train.csv": SPR},
    "vindr": {"breast-level_annotations.csv": VINDR},
    "embed": {"clinical.csv": CLINICAL, "metadata.csv": METADATA},
    "csaw": {"csaw.csv": CSAW},
    "cbis-ddsm": {"mass_train.csv": MASS, "calc_test.csv": CALC},
    "inbreast": {"INbreast.csv": INBREAST},
    "cmmd": {"CMMD.csv": CMMD},
    "mias": {"Info.txt": MIAS},
    "mirai-csv": {"m.csv": MIRAI},
}


def write(folder: Path, tables: dict[str, str]) -> list[Path]:
    for name, text in tables.items():
        (folder / name).write_text(text)
    return [folder / name for name in tables]


@pytest.mark.parametrize("adapter", TABLES)
@pytest.mark.parametrize("in_folder", [False, True])
def test_each_set_is_known_by_its_tables(tmp_path: Path, adapter: str, *, in_folder: bool) -> None:
    paths = write(tmp_path, TABLES[adapter])
    if in_folder:  # with a table that is of no data set, and a file that is no table
        write(tmp_path, {"notes.csv": "a,b\n1,2\n", "readme.md": "path,label\n"})
        paths = [tmp_path]
    labels = read_labels(paths, "auto")
    named = read_labels(paths, adapter)
    assert labels.adapter == adapter
    assert labels.why.startswith(f"adapter {adapter} ({LAYOUTS[adapter].title}): ")
    assert labels.keys == named.keys
    assert labels.columns == named.columns
    assert named.why == ""
    rule, meaning = next(iter(RULES[adapter].items()))
    assert labels.statement == f"{labels.why}\nlabel rule {adapter}/{rule}: {meaning}"
    assert labels.dataset == ("" if adapter == "csv" else adapter)


def test_the_test_table_of_rsna_is_known_too(tmp_path: Path) -> None:
    text = "site_id,patient_id,image_id,laterality,view,age,prediction_id\n2,7,1,L,CC,,7_L\n"
    write(tmp_path, {"sample_submission.csv": "prediction_id,cancer\n7_L,0.02\n"})
    paths = write(tmp_path, {"test.csv": text})
    assert read_labels(paths, "auto").columns["cancer"] == [None]
    write(tmp_path, {"train.csv": RSNA})
    labels = read_labels([tmp_path], "auto", label_rule="recall")
    assert labels.adapter == "rsna"
    assert labels.columns["cancer"] == [None, None, 1, 0]
    assert labels.columns["machine_id"] == [None, "29", "29", "21"]
    assert [line for ((_, line),) in labels.rows] == [2, 2, 3, 4]


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"t.csv": "a,b\n1,2\n"}, "^'t.csv' has the columns of no data set known; name one with"),
        (
            {"t.csv": CSAW.replace("rad_recall,", "recall,")},
            "no data set known; the nearest, csaw, also has 'rad_recall'; name one with --adapter",
        ),
        ({"a.csv": SPR, "b.csv": CSAW}, "^'a.csv', 'b.csv' could be of csaw or spr; name one"),
        ({"a.csv": SPR, "b.csv": "path,label\n1,1\n"}, "could be of csv or spr"),
        (
            {"t.csv": SPR.replace("target", "target,ID1,LeftRight,classification")},
            "'t.csv' could be of cmmd or spr",
        ),
    ],
)
def test_none_and_several_are_one_sentence(
    tmp_path: Path, tables: dict[str, str], message: str
) -> None:
    with pytest.raises(DatasetError, match=message):
        read_labels(write(tmp_path, tables), "auto")


def test_a_folder_without_tables(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no table in .* is of a data set known; name the tab"):
        read_labels([tmp_path], "auto")
    with pytest.raises(DatasetError, match=r"no table in .* has the columns of 'spr'"):
        read_labels([tmp_path], "spr")


def test_rules_are_asked_for_by_name(tmp_path: Path) -> None:
    paths = write(tmp_path, TABLES["vindr"])
    with pytest.raises(ConfigError, match=r"'vindr' has no label rule 'recal'. Did you mean 'reca"):
        read_labels(paths, "vindr", label_rule="recal")
    with pytest.raises(ConfigError, match="label rules of its own; leave out --label-column"):
        read_labels(paths, "vindr", label_column="breast_birads")
    paths = write(tmp_path, TABLES["rsna"])
    assert read_labels(paths, "rsna", "biopsy").rule == "column: 0 or 1 as column biopsy has it"
    with pytest.raises(ConfigError, match="exclude each other"):
        read_labels(paths, "rsna", "biopsy", "recall")


def test_every_adapter_and_rule_is_described() -> None:
    text = describe_adapters()
    assert tuple(RULES) == tuple(LAYOUTS) == ADAPTERS[1:]
    for name, rules in RULES.items():
        assert f"\n{name}: " in f"\n{text}"
        assert all(f"    label rule {rule}: {meaning}" in text for rule, meaning in rules.items())


def test_only_what_is_read_is_kept_of_wide_tables(tmp_path: Path) -> None:
    (path,) = write(tmp_path, {"m.csv": METADATA})
    table = open_table(path, LAYOUTS["embed"].keep)
    assert "finalimagetype" not in table
    assert table.columns["acc_anon"][0] == "001"
    assert read_header(path)[1] == "anon_dicom_path"


def test_spreadsheets_are_read_where_openpyxl_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "CMMD_clinicaldata_revision.xlsx"
    monkeypatch.setitem(sys.modules, "openpyxl", None)
    path.write_bytes(b"PK\x03\x04")
    with pytest.raises(DeviceError, match="needs openpyxl; install that or save the table as CSV"):
        read_labels([path], "cmmd")
    monkeypatch.undo()
    pytest.importorskip("openpyxl")
    rows = [line.split(",") for line in CMMD.splitlines()]
    ages = [[int(cell) if cell.isdigit() else cell or None for cell in row] for row in rows]
    pd.DataFrame(ages).to_excel(path, header=False, index=False)
    assert open_table(path).columns == open_table(*write(tmp_path, {"c.csv": CMMD})).columns
    assert read_labels([path], "auto").adapter == "cmmd"
    path.write_bytes(b"PK\x03\x04 and nothing else")
    with pytest.raises(DatasetError, match="is no spreadsheet"):
        read_labels([path], "cmmd")


@pytest.mark.parametrize("adapter", ["auto", "inbreast"])
@pytest.mark.parametrize("content", [b"PK\x03\x04 damaged", b"\xd0\xcf\x11\xe0", b"PK with cells"])
def test_a_spreadsheet_beside_the_tables_does_no_harm(
    tmp_path: Path, adapter: str, content: bytes
) -> None:
    if content == b"PK with cells":
        pytest.importorskip("openpyxl")
        frame = pd.DataFrame([["notes", None, None], ["1", "2", "3"]])
        frame.to_excel(tmp_path / "notes.xlsx", header=False, index=False)
    else:
        (tmp_path / "notes.xlsx").write_bytes(content)
    with pytest.raises(DatasetError, match=r"spreadsheet|no table in"):
        read_labels([tmp_path], adapter)
    write(tmp_path, TABLES["inbreast"])
    assert read_labels([tmp_path], adapter).adapter == "inbreast"


def test_whatever_a_damaged_spreadsheet_makes_openpyxl_raise_is_one_sentence(
    tmp_path: Path,
) -> None:
    pytest.importorskip("openpyxl")
    path = tmp_path / "t.xlsx"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types")
    with pytest.raises(DatasetError, match=r"'t.xlsx' is no spreadsheet"):
        read_labels([path], "cmmd")


def test_columns_without_a_name_are_left_out(tmp_path: Path) -> None:
    paths = write(tmp_path, {"t.csv": "image_id,,label,,\n1,x,1,,\n"})
    labels = read_labels(paths, "auto")
    assert (labels.keys, labels.columns["cancer"]) == (["1"], [1])


def test_old_spreadsheets_are_to_be_saved_as_text(tmp_path: Path) -> None:
    (tmp_path / "INbreast.xls").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
    with pytest.raises(DatasetError, match="a spreadsheet of the old kind; save it as CSV UTF-8"):
        read_labels([tmp_path / "INbreast.xls"], "inbreast")
