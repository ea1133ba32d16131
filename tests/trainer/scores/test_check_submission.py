"""One broken file for each thing that a competition refuses, and the sentence that says so."""

from pathlib import Path

import pytest

from dali_pipelines.errors import ConfigError, DatasetError
from trainer.scores.check_submission import check_submission
from trainer.scores.competitions import CompetitionName

RSNA = "prediction_id,cancer\n10008_L,0.1\n10008_R,1\n10042_L,0\n"
SPR = "AccessionNumber,target\n000123,0.1\n000007,0.9\n123456,0.5\n"


@pytest.mark.parametrize(("name", "text"), [("rsna", RSNA), ("spr", SPR)])
def test_a_sound_file_has_rows(tmp_path: Path, name: CompetitionName, text: str) -> None:
    path, like = tmp_path / "submission.csv", tmp_path / "sample.csv"
    path.write_text(text)
    like.write_text(text.replace("0.1", "0").replace(",0.9", ",0.5"))
    assert check_submission(path, name) == check_submission(path, name, like) == 3


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("rsna", "", "first line must read 'prediction_id,cancer'"),
        ("rsna", "prediction_id,cancer\n", "holds no rows"),
        ("rsna", RSNA.replace("cancer", "Cancer"), "first line must read"),
        ("rsna", RSNA.replace(",", ";"), "first line must read"),
        ("rsna", "\ufeff" + RSNA, "first line must read"),
        ("rsna", RSNA.replace("10008_R", "10008_?"), "patient and a side, such.*line 3 differs"),
        ("rsna", RSNA.replace("10008_R", "10008_L"), "must be there once; line 3 differs"),
        ("rsna", RSNA.replace("10008_R", ""), "must name something in each row; line 3 differs"),
        ("rsna", RSNA.replace("0.1", "1.01"), "'cancer' must hold numbers from 0 to 1; line 2"),
        ("rsna", RSNA.replace("0.1", "-0.1"), "'cancer' must hold numbers from 0 to 1; line 2"),
        ("rsna", RSNA.replace("0.1", "nan"), "'cancer' must hold numbers from 0 to 1; line 2"),
        ("rsna", RSNA.replace("0.1", "0_0.1"), "'cancer' must hold numbers from 0 to 1; line 2"),
        ("rsna", RSNA.replace("0.1", ""), "'cancer' must hold numbers from 0 to 1; line 2"),
        ("rsna", RSNA.replace("0.1", "0.1,7"), "each row must have 2 cells"),
        ("rsna", RSNA.replace("10042_L,0\n", ""), "lacks 1 of the 3 ids of 'sample.csv'"),
        ("rsna", RSNA + "11_R,0\n", "only ids of 'sample.csv' may be there; line 5 differs"),
        (
            *("rsna", "prediction_id,cancer\n10008_R,1\n10008_L,0.1\n10042_L,0\n"),
            "must stand in the order of 'sample.csv'; lines 2, 3 differ",
        ),
        ("spr", SPR.replace("000007", "7"), "6 digits, with zeros before.*line 3 differs"),
        ("spr", SPR.replace("000007", "0000007"), "6 digits, with zeros before.*line 3 differs"),
        ("spr", SPR.replace("000007", "000123"), "must be there once; line 3 differs"),
        ("spr", SPR.replace("0.9", "90%"), "'target' must hold numbers from 0 to 1; line 3"),
        ("spr", SPR.replace("000007", "000008"), "lacks 1 of the 3 ids"),
    ],
)
def test_a_broken_file_is_told(
    tmp_path: Path, name: CompetitionName, text: str, message: str
) -> None:
    path, like = tmp_path / "submission.csv", tmp_path / "sample.csv"
    path.write_text(text, encoding="utf-8")
    like.write_text(RSNA if name == "rsna" else SPR)
    with pytest.raises(DatasetError, match=message):
        check_submission(path, name, like)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can be read"):
        check_submission(tmp_path / "absent.csv", "rsna")
