import pandas as pd
import pytest

from dali_pipelines.errors import ConfigError, DatasetError
from trainer.evaluation.groups import (
    MOST_VALUES,
    age_band,
    require_column,
    split_by,
    split_columns,
    vendor_of,
)


@pytest.mark.parametrize(
    ("text", "vendor"),
    [
        ("HOLOGIC, Inc.", "Hologic"),
        ("LORAD, A Hologic Company", "Hologic"),
        ("GE MEDICAL SYSTEMS", "GE"),
        ("GE Healthcare", "GE"),
        ("SIEMENS", "Siemens"),
        ("Siemens Healthineers", "Siemens"),
        ("IMS s.r.l.", "IMS Giotto"),
        ("IMS GIOTTO S.p.A.", "IMS Giotto"),
        ("FUJI PHOTO FILM Co., ltd.", "Fujifilm"),
        ("General Optics", "General Optics"),  # "ge" as a word alone
        ("Siemensstadt", "Siemensstadt"),
        ("a\x1b[31m" + "b" * 60, "a?[31m" + "b" * 34),
        ("", ""),
    ],
)
def test_makers_have_one_name(text: str, vendor: str) -> None:
    assert vendor_of(text) == vendor


@pytest.mark.parametrize(
    ("age", "band"),
    [
        *((0, "0-39"), (39, "0-39"), (40, "40-49"), (49.9, "40-49"), (50, "50-59")),
        *((69, "60-69"), (70, "70 and over"), (104, "70 and over")),
    ],
)
def test_ages_come_in_bands(age: float, band: str) -> None:
    assert age_band(age) == band


def test_a_manifest_gives_the_columns_that_it_knows_something_of() -> None:
    frame = pd.DataFrame(
        {
            "dataset": ["rsna", "rsna", ""],
            "site_id": ["1", "", "7"],
            "manufacturer": ["GE Healthcare", "", "Xray Ltd"],
            "model_name": ["", "", ""],
            "density": ["A", "E", "4"],  # neither of the last two is one of BI-RADS
            "age": pd.array([52, None, 71], dtype="Int16"),
            "implant": pd.array([True, False, None], dtype="boolean"),
            "fold": pd.array([0, 1, None], dtype="Int64"),
        },
        index=[7, 3, 5],
    )
    columns = split_columns(frame)
    assert columns.to_dict("list") == {
        "site": ["rsna/1", "rsna", "7"],
        "dataset": ["rsna", "rsna", ""],
        "vendor": ["GE", "", "Xray Ltd"],
        "density": ["A", "", ""],
        "age": ["50-59", "", "70 and over"],
        "implant": ["yes", "no", ""],
        "fold": ["0", "1", ""],
    }
    assert columns.index.tolist() == [7, 3, 5]


def test_the_unknown_stand_last_and_the_side_nobody_knows_among_them() -> None:
    scores = pd.DataFrame({"laterality": ["R", "?", "L", None, "R"], "n": range(5)})
    parts = split_by(scores, "laterality")
    assert {name: rows["n"].tolist() for name, rows in parts.items()} == {
        "L": [2],
        "R": [0, 4],
        "unknown": [1, 3],
    }
    assert list(parts) == ["L", "R", "unknown"]


def test_rare_values_of_a_long_column_count_as_one() -> None:
    sites = [f"s{n:02}" for n in range(MOST_VALUES)] * 2 + ["x1", "x2", "x2-"]
    parts = split_by(pd.DataFrame({"site": sites}), "site")
    assert list(parts) == [*(f"s{n:02}" for n in range(MOST_VALUES)), "3 others"]
    assert len(parts["3 others"]) == 3
    assert sum(map(len, parts.values())) == len(sites)


@pytest.mark.parametrize("frame", [pd.DataFrame({"n": [1]}), pd.DataFrame({"age": [""]})])
def test_a_column_that_says_nothing_is_no_group(frame: pd.DataFrame) -> None:
    with pytest.raises(DatasetError, match="nothing is known of the age"):
        split_by(frame, "age")


def test_only_known_columns_split() -> None:
    require_column("vendor")
    with pytest.raises(ConfigError, match="Did you mean 'vendor'"):
        require_column("vendors")
    with pytest.raises(ConfigError, match="cannot be split by 'patient_id'"):
        require_column("patient_id")
