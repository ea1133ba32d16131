"""CBIS-DDSM, INbreast, CMMD, mini-MIAS: sets whose file names or headers name series and sides."""

import pytest

from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.splits import assign_folds, leakage_receipt
from tests.dali_pipelines.adapters.conftest import Label

_PATHS = "image file path,cropped image file path,ROI mask file path"
MASS = (
    "patient_id,breast_density,left or right breast,image view,abnormality id,abnormality type,"
    f"mass shape,mass margins,assessment,pathology,subtlety,{_PATHS}\n"
    "P_00001,3,LEFT,CC,1,mass,OVAL,OBSCURED,4,BENIGN,4,Mass-Training_P_00001_LEFT_CC/1/2/000000.dcm,"
    'Mass-Training_P_00001_LEFT_CC_1/1/2/000000.dcm,"Mass-Training_P_00001_LEFT_CC_1/1/2/000001.dcm\n"\n'
    "P_00001,3,LEFT,CC,2,mass,OVAL,SPICULATED,5,MALIGNANT,4,Mass-Training_P_00001_LEFT_CC/1/2/000000.dcm,"
    'Mass-Training_P_00001_LEFT_CC_2/1/2/000000.dcm,"Mass-Training_P_00001_LEFT_CC_2/1/2/000001.dcm\n"\n'
    "P_00001,3,RIGHT,MLO,1,mass,OVAL,OBSCURED,2,BENIGN_WITHOUT_CALLBACK,4,a,b,c\n"
    "P_00002,2,RIGHT,MLO,1,mass,OVAL,OBSCURED,3,BENIGN,4,a,b,c\n"
)
CALC = (
    "patient_id,breast density,left or right breast,image view,abnormality id,abnormality type,"
    f"calc type,calc distribution,assessment,pathology,subtlety,{_PATHS}\n"
    "P_00002,2,RIGHT,MLO,1,calcification,PLEOMORPHIC,CLUSTERED,4,MALIGNANT,3,a,b,c\n"
    "P_00003,0,LEFT,CC,1,calcification,PLEOMORPHIC,CLUSTERED,0,BENIGN,3,a,b,c\n"
)
CBIS = {"mass_case_description_train_set.csv": MASS, "calc_case_description_test_set.csv": CALC}
CBIS_SERIES = {  # name of the series -> patient, side, view, split group, label, BI-RADS
    "Mass-Training_P_00001_LEFT_CC": ("P_00001", "L", "CC", "train", 1, 5),
    "Mass-Training_P_00001_LEFT_CC_1": ("P_00001", "L", "CC", "train", None, None),  # a crop
    "Mass-Training_P_00001_RIGHT_MLO": ("P_00001", "R", "MLO", "train", 0, 2),
    # the same film in both sets: benign mass, malignant calcification
    "Mass-Training_P_00002_RIGHT_MLO": ("P_00002", "R", "MLO", "train", 1, 4),
    "Calc-Test_P_00002_RIGHT_MLO": ("P_00002", "R", "MLO", "test", 1, 4),
    "Calc-Test_P_00003_LEFT_CC": ("P_00003", "L", "CC", "test", 0, 0),
    "Calc-Test_P_00003_LEFT_MLO": ("P_00003", "L", "MLO", "test", None, None),  # no row
}


@pytest.mark.parametrize("by_header", [False, True])
def test_cbis_labels_films_and_groups_series_by_patient(label: Label, *, by_header: bool) -> None:
    images = [
        {"path": f"/f/{i}.dcm", "patient_id": name}
        if by_header
        else {"path": f"/CBIS-DDSM/{name}/1.3.6/1.3.7/1-1.dcm", "patient_id": "", "view": "ML"}
        for i, name in enumerate(CBIS_SERIES)
    ]
    joined = label(CBIS, "cbis-ddsm", *images)
    names = ("patient_id", "laterality", "view", "split_group", "cancer", "birads")
    found = list(zip(*(joined.column(name) for name in names), strict=True))
    assert found == list(CBIS_SERIES.values())
    assert joined.column("density") == ["C", "", "C", "B", "B", "", ""]
    assert joined.report.rows_without_image == 0
    assert joined.report.repeated_rows == 0
    assert joined.column("dataset") == ["cbis-ddsm"] * 7
    assert {str(joined.frame[name].dtype) for name in (*names[:4], "dataset")} == {"str"}


def test_cbis_patients_are_not_torn_apart(label: Label) -> None:
    images = [
        {"path": f"/f/{i}.dcm", "patient_id": name, "sop_instance_uid": f"1.{i}"}
        | {"study_instance_uid": f"2.{i}", "image_id": str(i)}
        for i, name in enumerate(CBIS_SERIES)
    ]
    folds = assign_folds(label(CBIS, "cbis-ddsm", *images).frame, 2, seed=0)
    assert folds.groupby("patient_id")["fold"].nunique().tolist() == [1, 1, 1]
    assert leakage_receipt(folds).clean


def test_cbis_names_what_is_wrong_by_table_and_line(label: Label) -> None:
    wrong = CBIS | {"calc_case_description_test_set.csv": CALC.replace("MALIGNANT", "MALIGN")}
    with pytest.raises(
        DatasetError, match=r"'calc_.*'pathology' must hold MALIGNANT, .*line 2 dif"
    ):
        label(wrong, "cbis-ddsm", {"path": "/a"})
    with pytest.raises(DatasetError, match="no column 'breast_density' or 'breast density'"):
        label({"c.csv": CALC.replace("breast density", "x")}, "cbis-ddsm", {"path": "/a"})
    with pytest.raises(DatasetError, match="LEFT or RIGHT, and CC or MLO; line 7 differs"):
        label({"m.csv": MASS.replace("P_00002,2,RIGHT", "P_00002,2,")}, "cbis-ddsm", {"path": "/a"})


INBREAST = (
    "Patient ID;Patient age;Laterality;View;Acquisition date;File Name;ACR;Bi-Rads\n"
    "removed;removed;R;CC;201001;22678622;4;4a\n"
    "removed;removed;L;CC;201001;22678646;4;1\n"
    "removed;removed;R;MLO;201001;22678670;     ;4C\n"
    "removed;removed;L;MLO;201001;22678694;2;3\n"
    "removed;removed;L;MLO;201002;20586908;1;6\n"
    "removed;removed;L;MLO;201002;20586934;1;\n"
    ";;;;;;;410 images\n"
)
INBREAST_FILES = (
    "22678622_61b13c59bcba149e_MG_R_CC_ANON",
    "22678646_61b13c59bcba149e_MG_L_CC_ANON",
    "22678670_61b13c59bcba149e_MG_R_ML_ANON",
    "22678694_61b13c59bcba149e_MG_L_ML_ANON",
    "20586908_6c613a14b80a8591_MG_L_ML_ANON",
    "20586934_6c613a14b80a8591_MG_L_ML_ANON",
)


@pytest.mark.parametrize(
    ("rule", "expected"), [(None, [1, 0, 1, 0, 1, None]), ("recall", [1, 0, 1, 1, 1, None])]
)
def test_inbreast_takes_patients_from_file_names(
    label: Label, rule: str | None, expected: list[int | None]
) -> None:
    images = [
        {"path": f"/AllDICOMs/{name}.dcm", "patient_id": "removed", "view": "ML"}
        for name in INBREAST_FILES
    ]
    joined = label({"INbreast.csv": INBREAST}, "inbreast", *images, rule=rule)
    assert joined.column("cancer") == expected
    assert joined.column("birads") == [4, 1, 4, 3, 6, None]
    assert joined.column("density") == ["D", "D", "", "B", "A", "A"]
    assert joined.column("patient_id") == ["61b13c59bcba149e"] * 4 + ["6c613a14b80a8591"] * 2
    assert joined.column("laterality") == list("RLRLLL")
    assert joined.column("view") == ["CC", "CC", "MLO", "MLO", "MLO", "MLO"]
    assert joined.report.disagreements == {}


def test_what_a_file_name_tells_of_the_side_leaves_no_doubt(label: Label) -> None:
    guessed = {"laterality": "L", "flags": ("laterality_inferred", "no_view")}
    images = [{"path": f"/AllDICOMs/{name}.dcm"} | guessed for name in INBREAST_FILES]
    joined = label({"INbreast.csv": INBREAST}, "inbreast", *images)
    assert joined.column("laterality") == list("RLRLLL")
    assert [list(flags) for flags in joined.frame["flags"]] == [[]] * 6


def test_inbreast_files_may_be_called_by_their_number(label: Label) -> None:
    images = [{"path": "/22678622.dcm"}, {"path": "/22678646.dcm", "patient_id": "7"}]
    joined = label({"INbreast.csv": INBREAST}, "inbreast", *images)
    assert joined.column("cancer") == [1, 0]
    assert joined.column("patient_id") == ["", "7"]
    assert joined.column("view") == ["CC", "CC"]
    with pytest.raises(DatasetError, match=r"'Bi-Rads' must hold 0, 1, .*line 3 differs"):
        label({"INbreast.csv": INBREAST.replace(";4;1", ";4;4d")}, "inbreast", *images)


CMMD = (
    "ID1,LeftRight,Age,number,abnormality,classification,subtype\n"
    "D1-0001,R,44,2,calcification,Benign,\n"
    "D1-0002,L,40,2,calcification,Benign,\n"
    "D1-0002,L,40,2,mass,Malignant,\n"
    "D2-0247,L,55,2,mass,Malignant,Luminal A\n"
    "D2-0247,R,55,2,mass,Benign,\n"
)
CMMD_IMAGES = (
    ("D1-0001", "R", 0), ("D1-0001", "L", None), ("D1-0002", "L", 1),
    ("D2-0247", "L", 1), ("D2-0247", "R", 0), ("D2-0247", "", None),
)  # fmt: skip


@pytest.mark.parametrize("by_folder", [False, True])
def test_cmmd_labels_breasts(label: Label, *, by_folder: bool) -> None:
    images = [
        {"path": f"/CMMD/{who if by_folder else 'x'}/07-18-2010-1/1.0-2/1-{i}.dcm"}
        | {"patient_id": "" if by_folder else who, "laterality": side}
        for i, (who, side, _) in enumerate(CMMD_IMAGES)
    ]
    joined = label({"CMMD.csv": CMMD}, "cmmd", *images)
    assert joined.column("cancer") == [expected for *_, expected in CMMD_IMAGES]
    assert joined.column("age") == [44, None, 40, 55, 55, None]
    patients = [who for who, *_ in CMMD_IMAGES]  # also of the breasts without a row
    assert joined.column("patient_id") == patients
    if by_folder:
        assert joined.column("label_patient_id") == patients
    assert joined.report.rows_without_image == 0
    assert joined.report.repeated_rows == 0
    with pytest.raises(DatasetError, match="'LeftRight' must hold L or R; line 3 differs"):
        label({"CMMD.csv": CMMD.replace("2,L,40,2,c", "2,B,40,2,c")}, "cmmd", *images)


MIAS = (
    "This file lists the films in the MIAS database and provides\n"
    "1st column: MIAS database reference number.\n\n"
    "mdb001 G CIRC B 535 425 197\n"
    "mdb002 G CIRC B 522 280 69 \n"
    "mdb003 D NORM \n"
    "mdb059 F CIRC B\n"
    "mdb144 F MISC B 233 994 29\n"
    "mdb144 F MISC M 313 540 27\n"
    "mdb216 D CALC M *NOTE 3*\n"
    "* NOTE 3 calcifications are widely distributed\n"
)


def test_mias_pairs_sides_and_the_worst_of_several_lines(label: Label) -> None:
    names = ("mdb001", "mdb002", "mdb003", "mdb059", "mdb144", "mdb216", "MDB143", "other")
    images = [{"path": f"/mias/{name}.pgm", "sop_instance_uid": name} for name in names]
    joined = label({"Info.txt": MIAS}, "mias", *images)
    assert joined.column("cancer") == [0, 0, 0, 0, 1, 1, None, None]
    assert joined.column("laterality") == ["L", "R", "L", "L", "R", "R", "L", ""]
    assert joined.column("view") == ["MLO"] * 7 + [""]
    assert joined.column("patient_id") == ["001", "001", "003", "059", "143", "215", "143", ""]
    assert joined.report.rows_without_image == 0


@pytest.mark.parametrize("line", ["mdb003 D NRM", "mdb003 D CIRC", "mdb003 D CIRC X 1 2 3"])
def test_mias_lines_that_say_something_else_are_named(label: Label, line: str) -> None:
    with pytest.raises(DatasetError, match=r"a line must be as .*; line 6 differs"):
        label({"Info.txt": MIAS.replace("mdb003 D NORM", line)}, "mias", {"path": "/mdb001.pgm"})


def test_mias_as_a_table_of_columns(label: Label) -> None:
    text = "REFNUM,BG,CLASS,SEVERITY,X,Y,RADIUS\nmdb001,G,CIRC,M,1,2,3\nmdb003,D,NORM,,,,\n"
    images = [{"path": "/mdb001.pgm"}, {"path": "/mdb003.pgm", "image_id": "1"}]
    assert label({"Info.csv": text}, "mias", *images).column("cancer") == [1, 0]
    blank = text.replace("CIRC,M", "CIRC,").replace("NORM", "")  # is not negative
    assert label({"Info.csv": blank}, "mias", *images).column("cancer") == [None, None]


def test_one_table_is_wanted_where_a_set_has_one(label: Label) -> None:
    with pytest.raises(ConfigError, match=r"'a.csv', 'b.csv' are tables of one kind, of which one"):
        label({"a.csv": CMMD, "b.csv": CMMD}, "cmmd", {"path": "/a"})
