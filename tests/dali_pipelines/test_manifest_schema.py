"""The columns of the manifest: what lacks one or holds other values is said so."""

from collections.abc import Callable

import pandas as pd
import pytest

from dali_pipelines.errors import DatasetError
from dali_pipelines.manifest_rows import to_frame
from dali_pipelines.manifest_schema import SCHEMA, to_arrow, to_pandas
from dali_pipelines.records import ImageRecord

RecordOf = Callable[..., ImageRecord]


def test_the_columns_of_the_schema_come_first_in_its_order(record_of: RecordOf) -> None:
    frame = to_frame([record_of()]).assign(density=["A"])
    table = to_arrow(frame[frame.columns[::-1]])
    assert table.column_names == [*SCHEMA.names, "density"]
    assert to_pandas(table)["density"].tolist() == ["A"]


def test_missing_columns_are_named(record_of: RecordOf) -> None:
    frame = to_frame([record_of()])
    with pytest.raises(DatasetError, match="lacks the columns flags, path"):
        to_arrow(frame.drop(columns=["path", "flags"]))


def test_values_of_a_wrong_type_are_named_by_column_and_never_shown(record_of: RecordOf) -> None:
    frame = to_frame([record_of(), record_of()])
    frame = frame.assign(age=["JANE DOE", "1"], mixed=pd.Series(["SECRET", 1], dtype=object))
    with pytest.raises(DatasetError, match="wrong type: age, mixed;") as caught:
        to_arrow(frame)
    assert "JANE" not in str(caught.value)
    assert "SECRET" not in str(caught.value)
    assert caught.value.__suppress_context__
