"""RSNA, VinDr, EMBED, CSAW and Mirai's CSV: small tables as published, labels by hand."""

import pytest

from dali_pipelines.errors import ConfigError, DatasetError
from tests.dali_pipelines.adapters.conftest import Label

RSNA = (
    "site_id,patient_id,image_id,laterality,view,age,cancer,biopsy,invasive,BIRADS,implant,"
    "density,machine_id,difficult_negative_case\n"
    "2,10006,462822612,L,CC,61.0,0,0,0,,0,,29,False\n"
    "2,10006,1864590858,R,MLO,61.0,1,1,1,0.0,0,,29,False\n"
    "1,10011,220375232,L,CC,55.0,0,0,0,2.0,0,C,21,True\n"
)


def rsna_images() -> list[dict[str, object]]:
    names = ("10006/462822612", "10006/1864590858", "10011/220375232", "822/1")
    return [{"path": f"/train_images/{name}.dcm"} for name in names]


@pytest.mark.parametrize(
    ("rule", "column", "expected"),
    [
        ("cancer", None, [0, 1, 0, None]),
        ("recall", None, [None, 1, 0, None]),
        (None, "difficult_negative_case", None),
        (None, "biopsy", [0, 1, 0, None]),
    ],
)
def test_rsna_by_each_rule(
    label: Label, rule: str | None, column: str | None, expected: list[int | None] | None
) -> None:
    if expected is None:  # True and False are no labels
        with pytest.raises(DatasetError, match="must hold 0, 1 or nothing; lines 2, 3, 4 differ"):
            label({"train.csv": RSNA}, "rsna", *rsna_images(), rule=rule, column=column)
        return
    joined = label({"train.csv": RSNA}, "rsna", *rsna_images(), rule=rule, column=column)
    assert joined.column("cancer") == expected
    assert joined.column("dataset") == ["rsna"] * 4
    assert joined.column("density") == ["", "", "C", ""]
    assert joined.column("age") == [61, 61, 55, None]


VINDR = (
    "study_id,series_id,image_id,laterality,view_position,height,width,breast_birads,"
    "breast_density,split\n"
    "s1,x1,00a,L,CC,3518,2800,BI-RADS 5,DENSITY C,training\n"
    "s1,x1,00b,L,MLO,3518,2800,BI-RADS 5,DENSITY C,training\n"
    "s1,x1,00c,R,CC,3518,2800,BI-RADS 1,DENSITY C,training\n"
    "s2,x2,00d,R,MLO,3518,2800,BI-RADS 4,DENSITY A,test\n"
    "s2,x2,00e,L,MLO,3518,2800,BI-RADS 3,DENSITY A,test\n"
    "s3,x3,00f,L,MLO,3518,2800,,,test\n"
)
VINDR_FINDINGS = (
    "study_id,series_id,image_id,laterality,view_position,height,width,breast_birads,"
    "breast_density,finding_categories,finding_birads,xmin,ymin,xmax,ymax,split\n"
    "s1,x1,00a,L,CC,3518,2800,BI-RADS 5,DENSITY C,\"['Mass', 'Nipple Retraction']\",BI-RADS 5,"
    "1.5,2,3,4,training\n"
    "s1,x1,00a,L,CC,3518,2800,BI-RADS 5,DENSITY C,['Mass'],BI-RADS 3,1,2,3,4,training\n"
    "s1,x1,00c,R,CC,3518,2800,BI-RADS 1,DENSITY C,['No Finding'],,,,,,training\n"
)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (None, [1, 1, 0, 0, 0, None]),
        ("suspicious", [1, 1, 0, 1, 0, None]),
        ("recall", [1, 1, 0, 1, 1, None]),
    ],
)
def test_vindr_by_each_rule(label: Label, rule: str | None, expected: list[int | None]) -> None:
    images = [{"path": f"/v/images/s/00{k}.dicom", "patient_id": ""} for k in "abcdef"]
    joined = label({"breast-level_annotations.csv": VINDR}, "vindr", *images, rule=rule)
    assert joined.column("cancer") == expected
    assert joined.column("birads") == [5, 5, 1, 4, 3, None]
    assert joined.column("density") == ["C", "C", "C", "A", "A", ""]
    assert joined.column("split_group") == ["train"] * 3 + ["test"] * 3
    assert joined.column("patient_id") == ["s1", "s1", "s1", "s2", "s2", "s3"]
    assert joined.column("laterality") == ["L", "L", "R", "R", "L", "L"]
    assert joined.column("view") == ["CC", "MLO", "CC", "MLO", "MLO", "MLO"]
    assert joined.report.repeated_rows == 0


def test_vindr_findings_repeat_the_breast_and_change_nothing(label: Label) -> None:
    images = [{"path": f"/v/images/s/00{k}.dicom"} for k in "abc"]
    both = {"breast-level_annotations.csv": VINDR, "finding_annotations.csv": VINDR_FINDINGS}
    joined = label(both, "vindr", *images)
    assert joined.column("cancer") == [1, 1, 0]
    assert (joined.report.repeated_rows, joined.report.rows_without_image) == (3, 3)
    clash = both | {"finding_annotations.csv": VINDR_FINDINGS.replace("BI-RADS 1", "BI-RADS 2")}
    with pytest.raises(DatasetError, match=r"line 4 of 'breast-.* and line 4 of 'finding_"):
        label(clash, "vindr", *images)


def test_vindr_text_that_is_no_grade_is_named_by_line(label: Label) -> None:
    with pytest.raises(
        DatasetError, match=r"'breast_birads' must hold BI-RADS 0, .*line 5 differs"
    ):
        label({"b.csv": VINDR.replace("BI-RADS 4", "4")}, "vindr", {"path": "/00a.dicom"})
    with pytest.raises(DatasetError, match=r"'split' must hold TRAIN, .*lines 2, 3, 4 differ"):
        label({"b.csv": VINDR.replace("training", "trainer")}, "vindr", {"path": "/00a.dicom"})


CLINICAL = (
    "empi_anon,acc_anon,study_date_anon,desc,tissueden,asses,numfind,side,bside,path_severity\n"
    # 1: findings on the left alone, a cancer and a benign one: the right is negative unsaid
    "011,001,2013,MG Screening Bilateral,3.0,A,1,L,L,0.0\n"
    "011,001,2013,MG Screening Bilateral,3.0,B,2,L,L,4.0\n"
    # 2: no finding, side left blank: both breasts negative
    "012,002,2013,MG Screening Bilateral,2.0,N,1,,,\n"
    # 3: two findings of the left breast, of which one is benign and the other not biopsied, and B
    "013,003,2013,MG Diagnostic Bilateral,4.0,B,1,L,,\n"
    "013,003,2013,MG Diagnostic Bilateral,4.0,S,2,L,L,4.0\n"
    "013,003,2013,MG Diagnostic Bilateral,4.0,P,3,B,,\n"
    # 4: one side only; the other was not looked at
    "014,004,2014,MG Diagnostic Left,5.0,M,1,L,,\n"
    # 5: a lymphoma in the right, assessed X on the left; the pathology's own side counts
    "015,005,2014,MG Diagnostic Bilateral,1.0,K,1,R,R,6.0\n"
    "015,005,2014,MG Diagnostic Bilateral,1.0,X,2,L,,\n"
    "016,006,2014,MG Diagnostic Bilateral,1.0,S,1,B,R,1.0\n"
)
METADATA = (
    ",anon_dicom_path,empi_anon,acc_anon,FinalImageType,ImageLateralityFinal,ViewPosition,spot_mag\n"
    + "".join(
        f"{i},/mnt/NAS/cohort_1/0{10 + i}/{i}/1.2.{i}.{side}.dcm,0{10 + i},00{i},2D,{side},MLO,\n"
        for i in range(1, 7)
        for side in ("L", "R")
    )
    + "13,/mnt/NAS/cohort_1/019/9/1.2.9.L.dcm,019,009,2D,L,CC,1\n"
)
EMBED_CANCER = [1, 0, 0, 0, 0, None, None, None, None, None, None, 1]
EMBED_RECALL = [1, 0, 0, 0, 1, 1, 1, None, None, 1, 1, 1]


def embed_sides() -> list[tuple[int, str]]:
    return [(i, side) for i in range(1, 7) for side in ("L", "R")]


@pytest.mark.parametrize(("rule", "expected"), [("cancer", EMBED_CANCER), ("recall", EMBED_RECALL)])
def test_embed_by_image(label: Label, rule: str, expected: list[int | None]) -> None:
    images = [{"path": f"/e/images/1.2.{i}.{side}.dcm"} for i, side in embed_sides()]
    tables = {"clinical.csv": CLINICAL, "metadata.csv": METADATA}
    joined = label(tables, "embed", *images, {"path": "/e/images/1.2.9.L.dcm"}, rule=rule)
    assert joined.column("cancer") == [*expected, None]  # no clinical row at all
    assert joined.column("patient_id")[:3] == ["011", "011", "012"]  # with leading zeros
    assert joined.column("exam_id")[:3] == ["001", "001", "002"]
    assert joined.column("laterality") == [side for _, side in embed_sides()] + ["L"]
    assert joined.column("view") == ["MLO"] * 12 + ["CC"]
    assert joined.column("density") == [
        *("C", "C", "B", "B", "D", "D", "", "", "A", "A", "A", "A"),
        "",
    ]
    assert joined.column("birads")[:8] == [0, None, 1, 1, 4, 3, 5, None]
    assert joined.report.rows_without_image == 0


@pytest.mark.parametrize(("rule", "expected"), [("cancer", EMBED_CANCER), ("recall", EMBED_RECALL)])
@pytest.mark.parametrize("by_folder", [False, True])
def test_embed_by_exam_and_side(
    label: Label, rule: str, expected: list[int | None], *, by_folder: bool
) -> None:
    images = [
        {"path": f"/e/00{i}/{side}.dcm" if by_folder else f"/e/{i}{side}.dcm"}
        | {"exam_id": "" if by_folder else f"00{i}", "laterality": side}
        for i, side in embed_sides()
    ]
    joined = label({"clinical.csv": CLINICAL}, "embed", *images, rule=rule)
    assert joined.column("cancer") == expected


def test_embed_images_of_both_or_unknown_sides(label: Label) -> None:
    images = [
        {"path": f"/e/{i}{side}.dcm", "exam_id": f"00{i}", "laterality": side}
        for i in (1, 2, 3)
        for side in ("B", "")
    ]
    joined = label({"clinical.csv": CLINICAL}, "embed", *images, rule="recall")
    assert joined.column("cancer") == [1, None, 0, 0, 1, 1]


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("S,1,B,,0.0", [None, None]),  # one breast has a cancer, and nothing says which
        ("S,1,,,1", [None, None]),
        ("S,1,L,B,0", [None, None]),
        ("S,1,B,,4", [0, 0]),
        ("S,1,L,L,0\nS,2,B,,0", [1, None]),
        ("S,1,L,L,4\nS,2,B,,6", [0, None]),
        ("S,1,L,L,6\nN,2,R,,", [None, 0]),
    ],
)
def test_embed_cancers_are_of_the_breast_that_is_named(
    label: Label, rows: str, expected: list[int | None]
) -> None:
    header, exam = CLINICAL.split("\n", 1)[0], "016,006,2014,MG Diagnostic Bilateral,1.0,"
    text = "\n".join([header, *(exam + row for row in rows.split("\n"))])
    images = [{"path": f"/e/006/{side}.dcm", "laterality": side} for side in "LR"]
    assert label({"clinical.csv": text}, "embed", *images).column("cancer") == expected


def test_embed_exams_of_two_patients_are_named_by_line(label: Label) -> None:
    tables = {"clinical.csv": CLINICAL, "metadata.csv": METADATA.replace("L.dcm,013,", "L.dcm,31,")}
    with pytest.raises(DatasetError, match=r"'metadata.csv': an exam in .*patient; line 6 differs"):
        label(tables, "embed", {"path": "/1.2.1.L.dcm"})
    twice = CLINICAL.replace("013,003,2013,MG Diagnostic Bilateral,4.0,S", "13,003,2013,,4.0,S")
    with pytest.raises(DatasetError, match=r"'clinical.csv': an exam in .*patient; line 6 differs"):
        label({"clinical.csv": twice}, "embed", {"path": "/1.2.1.L.dcm"})


def test_embed_tables_that_write_exams_in_two_ways_are_refused(label: Label) -> None:
    as_numbers = CLINICAL
    for exam in range(1, 7):
        as_numbers = as_numbers.replace(f",00{exam},", f",{exam}.0,")
    with pytest.raises(DatasetError, match=r"no exam of 'metadata.csv' is in the clinical table"):
        label({"c.csv": as_numbers, "metadata.csv": METADATA}, "embed", {"path": "/1.2.1.L.dcm"})


def test_embed_wants_the_clinical_table(label: Label) -> None:
    with pytest.raises(ConfigError, match="needs the clinical table"):
        label({"metadata.csv": METADATA}, "embed", {"path": "/1.2.1.L.dcm"})
    wrong = CLINICAL.replace(",S,2,L", ",Q,2,L")
    with pytest.raises(DatasetError, match=r"'asses' must hold A, N, B.*line 6 differs"):
        label({"clinical.csv": wrong}, "embed", {"path": "/1.2.1.L.dcm"})


CSAW = (
    "anon_patientid,exam_year,anon_filename,imagelaterality,viewposition,x_case,x_cancer_laterality,"
    "x_age,rad_timing,rad_recall,rad_recall_type_left,rad_recall_type_right\n"
    # case found at this exam, on the left
    "00001,2012,00001_20990909_L_CC_1.dcm,Left,CC,1,Left,1,1,1,0,0\n"
    "00001,2012,00001_20990909_R_CC_1.dcm,Right,CC,1,Left,1,1,1,0,0\n"
    # two years before: not recalled, the cancer came later
    "00001,2010,00001_20990909_L_MLO_2.dcm,Left,MLO,1,Left,1,3,0,,\n"
    # control, recalled for the left breast alone, by type 2
    "00002,2014,00002_20990909_L_CC_1.dcm,Left,CC,0,,2,,1.0,2.0,\n"
    "00002,2014,00002_20990909_R_CC_1.dcm,Right,CC,0,,2,,1.0,2.0,\n"
    # control, recalled for the right breast, by type 1
    "00003,2014,00003_20990909_R_CC_1.dcm,Right,CC,0,,2,,1.0,0,1\n"
    # recall is not known
    "00004,2015,00004_20990909_R_CC_1.dcm,Right,CC,0,,2,,,,\n"
    # interval cancer, its side not known
    "00005,2015,00005_20990909_R_CC_1.dcm,Right,CC,1,,2,2,0,,\n"
    # control, recalled for a breast that is not named
    "00006,2015,00006_20990909_R_CC_1.dcm,Right,CC,0,,2,,1,,0\n"
)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("cancer", [1, 0, None, 0, 0, 0, 0, None, 0]),
        ("recall", [1, 0, 0, 1, 0, 1, None, 0, None]),
    ],
)
def test_csaw_by_each_rule(label: Label, rule: str, expected: list[int | None]) -> None:
    names = [line.split(",")[2] for line in CSAW.splitlines()[1:]]
    joined = label({"csaw.csv": CSAW}, "csaw", *({"path": f"/c/{n}"} for n in names), rule=rule)
    assert joined.column("cancer") == expected
    assert joined.column("patient_id")[0] == "00001"
    assert joined.column("exam_id")[:3] == ["00001_2012", "00001_2012", "00001_2010"]
    assert joined.column("laterality") == list("LRLLRRRRR")
    assert joined.column("age") == [None] * 9  # x_age is a group, not years


def test_csaw_codes_that_are_unknown_are_named_by_line(label: Label) -> None:
    wrong = CSAW.replace(",1.0,0,1", ",1.0,0,7").replace("Left,MLO", "Both,MLO")
    with pytest.raises(DatasetError, match="'imagelaterality' must hold Left or Right; line 4"):
        label({"csaw.csv": wrong}, "csaw", {"path": "/c/1.dcm"})
    with pytest.raises(DatasetError, match=r"rad_recall_type_right' must hold 0, 1, 2 .*line 7"):
        label({"csaw.csv": CSAW.replace(",1.0,0,1", ",1.0,0,7")}, "csaw", {"path": "/c/1.dcm"})


MIRAI = (
    "patient_id,exam_id,laterality,view,file_path,years_to_cancer,years_to_last_followup,"
    "split_group\n"
    "p1,e1,L,CC,/elsewhere/a.png,0,0,train\n"  # within a year
    "p2,e2,R,MLO,/elsewhere/b.png,4,4,dev\n"
    "p3,e3,R,MLO,/elsewhere/c.png,5,5,test\n"  # later than five years
    "p4,e4,R,MLO,/elsewhere/d.png,100,5,test\n"  # none in five years
    "p5,e5,R,MLO,/elsewhere/e.png,100,3,test\n"  # lost after three
    "p6,e6,R,MLO,/elsewhere/f.png,,9,test\n"  # whether there was one is not known
)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (None, [1, 1, 0, 0, None, None]),
        ("4-year", [1, 0, 0, 0, None, None]),
        ("3-year", [1, 0, 0, 0, 0, None]),
        ("1-year", [1, 0, 0, 0, 0, None]),
    ],
)
def test_mirai_counts_years(label: Label, rule: str | None, expected: list[int | None]) -> None:
    images = [{"path": f"/here/{k}.dcm"} for k in "abcdef"]
    joined = label({"m.csv": MIRAI}, "mirai-csv", *images, rule=rule)
    assert joined.column("cancer") == expected
    assert joined.column("years_to_cancer") == [0, 4, 5, None, None, None]
    assert joined.column("years_to_last_followup") == [0, 4, 5, 5, 3, 9]
    assert joined.column("split_group") == ["train", "dev", *["test"] * 4]


def test_mirai_takes_whole_paths_where_names_repeat(label: Label) -> None:
    text = MIRAI.replace("a.png", "a/1-1.png").replace("b.png", "b/1-1.png")
    images = [{"path": "/elsewhere/a/1-1.png"}, {"path": "/elsewhere/b/1-1.png"}]
    joined = label({"m.csv": text}, "mirai-csv", *images)
    assert joined.column("patient_id") == ["p1", "p2"]


@pytest.mark.parametrize("years", ["101", "-1", "soon"])
def test_mirai_years_are_whole(label: Label, years: str) -> None:
    wrong = MIRAI.replace("b.png,4", f"b.png,{years}")
    with pytest.raises(DatasetError, match=r"'years_to_cancer' must hold 0 ... 100 .*line 3"):
        label({"m.csv": wrong}, "mirai-csv", {"path": "/a.dcm"})
