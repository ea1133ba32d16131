"""The rows of a manifest: records -> table -> records, without loss."""

import dataclasses
import typing
from collections.abc import Callable

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dali_pipelines.errors import DatasetError
from dali_pipelines.manifest_rows import to_frame, to_records
from dali_pipelines.manifest_schema import SCHEMA
from dali_pipelines.records import (
    Grayscale,
    ImageRecord,
    ImageTags,
    Location,
    Lut,
    StreamInfo,
    Window,
)

RecordOf = Callable[..., ImageRecord]
WORDS = st.text(alphabet=st.sampled_from("a9\\é\udcff\n\0"), max_size=4)
INTS = st.integers(0, 65535)
PAIRS = st.lists(st.tuples(st.integers(0, 2**62), INTS), max_size=3).map(tuple)
FLOATS = st.floats(allow_nan=False)
SPACING = st.none() | st.tuples(FLOATS, FLOATS)
LUTS = st.builds(Lut, st.integers(-32768, 65535), st.integers(8, 16), st.binary(max_size=9))
BY_TYPE = {str: WORDS, int: INTS, int | None: st.none() | st.integers(0, 90)}


def parts(cls: type, **special: st.SearchStrategy) -> st.SearchStrategy:
    """Instances of a dataclass, each field by its type where it is not special."""
    hints = typing.get_type_hints(cls)
    plain = {f.name: BY_TYPE.get(hints[f.name]) for f in dataclasses.fields(cls)}
    wanted = {name: strategy for name, strategy in plain.items() if strategy is not None}
    return st.builds(cls, **{**wanted, **special})


RECORDS = parts(
    ImageRecord,
    tags=parts(ImageTags, spacing_mm=SPACING, chest_side=st.sampled_from(("left", "right", ""))),
    location=parts(
        Location,
        fragments=PAIRS,
        file_size=st.integers(0, 2**62),
        mtime_ns=st.integers(0, 2**62),
        frame_fragments=st.lists(st.integers(1, 9), max_size=3).map(tuple),
    ),
    stream=parts(StreamInfo),
    grayscale=parts(
        Grayscale,
        modality_lut=st.none() | LUTS,
        voi_luts=st.lists(LUTS, max_size=2).map(tuple),
        windows=st.lists(st.builds(Window, FLOATS, FLOATS), max_size=2).map(tuple),
    ),
)


@given(st.lists(RECORDS, max_size=3))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_records_come_back(records: list[ImageRecord]) -> None:
    assert to_records(to_frame(records)) == records


def test_the_table_says_what_the_record_says(record_of: RecordOf) -> None:
    record = record_of(
        image_id="f00d",
        patient_id="007",
        age_years=58,
        implant=False,
        transfer_syntax_uid="1.2.840.10008.1.2.4.90",
        spacing_mm=(0.07, 0.08),
        view_modifiers=("ID",),
        path="/d/a.zip",
        member="b",
        fragments=((10, 4), (20, 6)),
        frame_fragments=(1, 1),
        number_of_frames=2,
        frame=1,
        precision=14,
        flags=("no_view",),
        sha256="ab",
    )
    frame = to_frame([record, record_of()])
    row = frame.iloc[0]
    assert list(frame.columns) == SCHEMA.names
    assert (row["image_id"], row["patient_id"], row["age"]) == ("f00d", "007", 58)
    assert row["transfer_syntax"] == "1.2.840.10008.1.2.4.90"
    assert list(row["pixel_spacing_mm"]) == [0.07, 0.08]
    assert (row["path"], row["member"], row["sha256"]) == ("/d/a.zip", "b", "ab")
    assert (list(row["fragment_offsets"]), list(row["fragment_lengths"])) == ([10, 20], [4, 6])
    assert list(row["frame_fragments"]) == [1, 1]
    assert (row["number_of_frames"], row["frame"]) == (2, 1)
    assert frame["frame"].isna().tolist() == [False, True]
    assert (row["stream_precision"], row["bits_stored"]) == (14, 12)
    assert (list(row["flags"]), row["status"]) == (["no_view"], "flagged")
    assert frame["status"].tolist() == ["flagged", "ok"]
    assert frame["age"].isna().tolist() == [False, True]
    assert frame["implant"].isna().tolist() == [False, True]


def test_rows_may_be_chosen_and_turned(record_of: RecordOf) -> None:
    records = [record_of(image_id=str(i), intercept=i) for i in range(4)]
    frame = to_frame(records).sort_values("image_id", ascending=False)
    assert to_records(frame[frame["image_id"] != "2"]) == [records[3], records[1], records[0]]


def test_a_damaged_row_is_a_sentence(record_of: RecordOf) -> None:
    frame = to_frame([record_of()])
    for name, value in {
        "grayscale": "{",
        "fragment_offsets": [1, 2, 3],
        "stream_height": "x",
    }.items():
        damaged = frame.copy()
        damaged[name] = pd.Series([value], dtype=object)
        with pytest.raises(DatasetError):
            to_records(damaged)
