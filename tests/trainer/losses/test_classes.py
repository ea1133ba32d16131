"""Spellings of every adapter and of plain tables, as pandas holds a manifest's columns."""

import numpy as np
import pandas as pd
import pytest

from dali_pipelines.adapters.labels import DENSITIES, DTYPES
from dali_pipelines.dicom import laterality_view
from trainer.losses.classes import class_count, image_values

NAN = np.nan


@pytest.mark.parametrize(
    ("task", "cells", "dtype", "expected"),
    [
        ("birads", [0, 6, None], "Int8", [0, 6, NAN]),
        ("birads", [2.0, NAN], "float64", [2, NAN]),
        ("birads", ["4a", " 4C ", "3.0", "7", ""], "str", [4, 4, 3, NAN, NAN]),
        ("density", ["A", "b", "D", "", "FATTY"], "str", [0, 1, 3, NAN, NAN]),
        ("density", [1, 4, 5, None], "Int8", [0, 3, NAN, NAN]),
        ("view", ["CC", "MLO", "LM", "XCCL", "", "SPECIMEN"], "str", [0, 1, 2, 3, NAN, NAN]),
        ("implant", [True, False, None], "boolean", [1, 0, NAN]),
        ("implant", [None, None], "boolean", [NAN, NAN]),
        ("implant", ["0", "1.0", "no idea"], "str", [0, 1, NAN]),
        ("age", [45, 90, 0, None], "Int16", [0.45, 0.9, NAN, NAN]),
        ("age", ["061", "unknown", "-3", "100"], "str", [0.61, NAN, NAN, NAN]),
    ],
)
def test_cells_and_what_they_stand_for(
    task: str, cells: list[object], dtype: str, expected: list[float]
) -> None:
    np.testing.assert_array_equal(image_values(pd.Series(cells, dtype=dtype), task), expected)


def test_what_adapters_write_is_understood() -> None:
    densities = pd.Series(list(DENSITIES.values()), dtype=DTYPES["density"])
    assert image_values(densities, "density").tolist() == [0, 1, 2, 3]
    assert DTYPES["birads"] == "Int8"


def test_every_view_of_a_header_is_a_class_or_known_to_be_none() -> None:
    views = sorted(laterality_view._TEXT_VIEWS | {"SPECIMEN"})
    values = image_values(pd.Series(views, dtype="str"), "view")
    unknown = [view for view, value in zip(views, values, strict=True) if np.isnan(value)]
    assert unknown == ["AT", "ISO", "SIO", "SPECIMEN"]


def test_the_number_of_classes_is_that_of_the_values() -> None:
    tasks = ("age", "birads", "density", "view", "implant")
    assert [class_count(task) for task in tasks] == [1, 7, 4, 4, 1]
