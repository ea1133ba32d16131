"""Files of both competitions, worked out by hand and held against their validators."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dali_pipelines.errors import ConfigError, DatasetError
from trainer.aggregation.policy import parse_aggregation
from trainer.decisions.decision import Decision
from trainer.scores.check_submission import check_submission
from trainer.scores.competitions import CompetitionName
from trainer.scores.submission import SubmissionOptions, submission
from trainer.scores.table import prediction_table
from trainer.scores.writing import write_scores

KEY = bytes(32)
PROBS = [0.1, 0.3, 0.6, 0.2, 0.9, 0.8, 0.4]


@pytest.fixture
def manifest(toy_frame: pd.DataFrame) -> pd.DataFrame:
    """Patient 10008 with a repeated view, 10042 with a missing side, an image of unknown side."""
    rows = toy_frame.iloc[[0, 1, 2, 4, 5, 8, 9]].reset_index(drop=True)
    return rows.assign(
        patient_id=["10008", "10008", "10008", "10042", "10042", "9", "9"],
        exam_id=["000123", "000123", "123", "7", "7", "88", "88"],
        study_instance_uid=["1.1", "1.1", "1.1", "1.2", "1.2", "1.3", "1.3"],
        laterality=["L", "L", "R", "R", "R", "L", ""],
        path=[f"/test/{n}/{i}.dcm" for i, n in enumerate(["1", "1", "1", "2", "2", "3", "3"])],
    )


def scored(manifest: pd.DataFrame, key: bytes | None = KEY) -> pd.DataFrame:
    probs = np.array(PROBS[: len(manifest)])
    return prediction_table(manifest, np.log(probs / (1 - probs)), "abc", key)


def rows_of(
    manifest: pd.DataFrame, name: CompetitionName, **options: object
) -> list[tuple[str, float]]:
    table = submission(scored(manifest), manifest, name, SubmissionOptions(**options))  # type: ignore[arg-type]
    return [(key, round(float(value), 9)) for key, value in table.itertuples(index=False)]


def test_rsna_has_a_row_a_patient_and_side(
    manifest: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    assert rows_of(manifest, "rsna") == [
        ("10008_L", 0.2),  # (0.1 + 0.3) / 2
        ("10008_R", 0.6),
        ("10042_R", 0.55),  # (0.2 + 0.9) / 2; she has no left side
        ("9_L", 0.6),  # (0.8 + 0.4) / 2: the image of unknown side counts to both
        ("9_R", 0.4),
    ]
    assert "1 images are of no one side and count to both" in caplog.text


def test_spr_has_a_row_an_accession_of_six_digits(manifest: pd.DataFrame) -> None:
    assert rows_of(manifest, "spr") == [
        ("000007", 0.55),
        ("000088", 0.8),
        ("000123", 0.6),  # the greatest of L 0.2 and R 0.6; "123" is the same exam
    ]
    assert rows_of(manifest, "spr", how=parse_aggregation("spr-1st-code")) == [
        ("000007", 0.9),
        ("000088", 0.8),
        ("000123", 0.6),
    ]


@pytest.mark.parametrize("name", ["rsna", "spr"])
def test_keyed_and_raw_scores_give_the_same(manifest: pd.DataFrame, name: CompetitionName) -> None:
    keyed, raw = (
        submission(scored(manifest, key), manifest, name, SubmissionOptions())
        for key in (KEY, None)
    )
    pd.testing.assert_frame_equal(keyed, raw)


def test_several_exams_of_a_patient_are_joined_by_their_rule(manifest: pd.DataFrame) -> None:
    later = manifest.assign(
        study_instance_uid=["1.1", "1.4", "1.1", *manifest["study_instance_uid"][3:]]
    )
    later = later.assign(patient_id=["10008"] * 3 + ["10042"] * 4)
    found = dict(rows_of(later, "rsna", how=parse_aggregation("mean/max/mean")))
    assert found["10008_L"] == 0.2  # of exams with 0.1 and 0.3
    assert dict(rows_of(later, "rsna"))["10008_L"] == 0.3


def test_an_id_that_the_header_lacks_is_that_of_the_folder(
    manifest: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    bare = manifest.assign(patient_id="", exam_id=manifest["study_instance_uid"])
    assert [key for key, _ in rows_of(bare, "rsna")] == ["1_L", "1_R", "2_R", "3_L", "3_R"]
    assert [key for key, _ in rows_of(bare, "spr")] == ["000001", "000002", "000003"]
    assert "7 images have no id in their header; they took that of their folder" in caplog.text


@pytest.mark.parametrize(
    ("name", "column", "other"), [("spr", "exam_id", "1234567"), ("rsna", "patient_id", "Doe, J")]
)
def test_an_id_that_the_competition_cannot_have_is_that_of_the_folder(
    manifest: pd.DataFrame, tmp_path: Path, name: CompetitionName, column: str, other: str
) -> None:
    table = submission(
        scored(manifest), manifest.assign(**{column: other}), name, SubmissionOptions()
    )
    write_scores(table, tmp_path / "s.csv")
    assert check_submission(tmp_path / "s.csv", name) == len(table)
    assert {key.lstrip("0")[0] for key in table.iloc[:, 0]} == {"1", "2", "3"}


def test_an_image_without_any_id_is_left_out_aloud(
    manifest: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    lost = manifest.assign(
        patient_id=["", *manifest["patient_id"][1:]],
        exam_id=["", *manifest["exam_id"][1:]],
        path=["/test/images/0.dcm", *manifest["path"][1:]],
    )
    assert dict(rows_of(lost, "rsna"))["10008_L"] == 0.3
    assert "000000" not in dict(rows_of(lost, "spr"))
    assert caplog.text.count("1 images have no id of the competition and are left out") == 2
    nothing = manifest.assign(patient_id="", exam_id="", path="/test/images/0.dcm")
    with pytest.raises(DatasetError, match=r"none of the 7 images has an id for Acc.*6 digits"):
        rows_of(nothing, "spr")


def test_a_sample_says_rows_and_order(
    manifest: pd.DataFrame, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    like = tmp_path / "test.csv"
    like.write_text(
        "site_id,patient_id,image_id,laterality,prediction_id\n"
        "1,9,1,R,9_R\n1,11,2,L,11_L\n1,11,3,L,11_L\n1,10008,4,L,10008_L\n"
    )
    wanted = [("9_R", 0.4), ("11_L", 0.0206), ("10008_L", 0.2)]
    assert rows_of(manifest, "rsna", like=like) == wanted
    assert "1 rows have no score and say 0.0206" in caplog.text
    assert "3 scored rows are not asked for and left out" in caplog.text
    assert rows_of(manifest, "rsna", like=like, prior=0.5)[1] == ("11_L", 0.5)


def test_a_sample_that_lost_its_zeros_is_understood(manifest: pd.DataFrame, tmp_path: Path) -> None:
    like = tmp_path / "sample_submissionA.csv"
    like.write_text("AccessionNumber,target\n123,0.5\n000007,0.5\n456,0.5\n88,0.5\n")
    wanted = [("000123", 0.6), ("000007", 0.55), ("000456", 0.148), ("000088", 0.8)]
    assert rows_of(manifest, "spr", like=like) == wanted


def test_a_sample_of_other_images_is_refused(manifest: pd.DataFrame, tmp_path: Path) -> None:
    like = tmp_path / "sample.csv"
    like.write_text("AccessionNumber,target\n999,0.5\n")
    with pytest.raises(DatasetError, match="have no id in common"):
        rows_of(manifest, "spr", like=like)
    with pytest.raises(DatasetError, match="has no column 'prediction_id'"):
        rows_of(manifest, "rsna", like=like)
    like.write_text("prediction_id,cancer\n10008_L,0\n10008,0\n")
    with pytest.raises(DatasetError, match=r"must hold a patient and a side.*line 3"):
        rows_of(manifest, "rsna", like=like)


def test_a_decision_gives_0_and_1(manifest: pd.DataFrame, tmp_path: Path) -> None:
    decision = Decision("breast", "f1", 0.5)
    found = rows_of(manifest, "rsna", decision=decision, column="positive")
    assert found == [("10008_L", 0), ("10008_R", 1), ("10042_R", 1), ("9_L", 1), ("9_R", 0)]
    assert rows_of(manifest, "rsna", decision=decision)[0] == ("10008_L", 0.2)
    like = tmp_path / "sample.csv"  # a share of the competition's would be no decision
    like.write_text("prediction_id,cancer\n10008_R,0\n11_L,0\n")
    found = rows_of(manifest, "rsna", decision=decision, column="positive", like=like)
    assert found == [("10008_R", 1), ("11_L", 0)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"column": "positive"}, "'positive' needs a decision on the breast, and none is there"),
        (
            {"column": "risk", "decision": Decision("exam", "f1", 0.5)},
            "needs a calibrated decision on the breast, and this one is of the exam",
        ),
        (
            {"column": "risk", "decision": Decision("breast", "f1", 0.5)},
            r"and this one is not calibrated.*mammo ensemble --calibrate platt --figure breast/",
        ),
        ({"prior": 1.5}, "the prior of a row without a score is 1.5, wanted is 0 to 1"),
        ({"prior": float("nan")}, "is nan, wanted is 0 to 1"),
    ],
)
def test_options_that_do_not_fit_are_refused(
    manifest: pd.DataFrame, options: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        rows_of(manifest, "rsna", **options)


def test_scores_of_another_manifest_are_refused(manifest: pd.DataFrame) -> None:
    with pytest.raises(DatasetError, match=r"predicted images are not in the manifest.*--id-key"):
        submission(scored(manifest), manifest.iloc[1:], "rsna", SubmissionOptions())


@pytest.mark.parametrize("name", ["rsna", "spr"])
@pytest.mark.parametrize("asks", [False, True])
def test_what_is_written_is_what_the_competition_takes(
    manifest: pd.DataFrame, tmp_path: Path, name: CompetitionName, asks: bool
) -> None:
    like = tmp_path / "sample.csv"
    like.write_text(
        "prediction_id,cancer\n9_L,0\n10042_L,0\n10008_R,0\n"
        if name == "rsna"
        else "AccessionNumber,target\n88,0.5\n5,0.5\n123,0.5\n"
    )
    asked = like if asks else None
    table = submission(scored(manifest), manifest, name, SubmissionOptions(like=asked))
    out = tmp_path / "submission.csv"
    write_scores(table, out)
    assert check_submission(out, name, asked) == len(table) > 2
