"""The manifest: table -> file -> table, without loss."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.manifest import read_manifest, write_manifest
from dali_pipelines.manifest_rows import to_frame, to_records
from dali_pipelines.records import ImageRecord

RecordOf = Callable[..., ImageRecord]


def test_a_file_gives_the_same_table_with_the_columns_of_later_steps(
    record_of: RecordOf, tmp_path: Path
) -> None:
    frame = to_frame([record_of(), record_of(age_years=44, spacing_mm=(1.0, 1.0))])
    frame = frame.assign(
        cancer=pd.array([1, None], dtype="Int8"),
        fold=pd.array([0, 3], dtype="Int16"),
        site_id=["1", ""],
        density=["A", "B"],
    )
    write_manifest(frame, tmp_path / "m.parquet")
    back = read_manifest(tmp_path / "m.parquet")
    assert_frame_equal(back, frame)
    assert back["cancer"].dtype == "Int8"
    assert to_records(back) == to_records(frame)
    write_manifest(back, tmp_path / "again.parquet")
    assert (tmp_path / "again.parquet").read_bytes() == (tmp_path / "m.parquet").read_bytes()


def test_an_empty_manifest_keeps_its_types(tmp_path: Path) -> None:
    write_manifest(to_frame([]), tmp_path / "m.parquet")
    frame = read_manifest(tmp_path / "m.parquet")
    assert to_records(frame) == []
    assert frame["age"].dtype == "Int16"


def test_the_file_is_private_and_never_half_written(
    record_of: RecordOf, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "m.parquet"
    old_mask = os.umask(0)
    write_manifest(to_frame([record_of()]), path)
    os.umask(old_mask)
    assert path.stat().st_mode & 0o777 == 0o600
    before = path.read_bytes()

    def fail(table: object, where: BinaryIO, **_: object) -> None:
        where.write(before[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq, "write_table", fail)
    with pytest.raises(OSError, match="No space"):
        write_manifest(to_frame([record_of(), record_of()]), path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_its_name_need_not_be_text(record_of: RecordOf, tmp_path: Path) -> None:
    frame = to_frame([record_of()])
    path = tmp_path / os.fsdecode(b"\xff.parquet")
    write_manifest(frame, path)
    assert_frame_equal(read_manifest(path), frame)


def test_what_is_no_manifest_is_said_so(record_of: RecordOf, tmp_path: Path) -> None:
    path = tmp_path / "m.parquet"
    with pytest.raises(ConfigError, match="no manifest"):
        read_manifest(path)
    path.write_text("patient_id,cancer\n")
    with pytest.raises(DatasetError, match="is not a manifest"):
        read_manifest(path)
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(DatasetError, match="not of `mammo scan`"):
        read_manifest(path)
    write_manifest(to_frame([record_of()]), path)
    newer = pq.read_table(path).replace_schema_metadata({b"mammostream_manifest": b"3"})
    pq.write_table(newer, path)
    with pytest.raises(DatasetError, match="version 3, wanted 2"):
        read_manifest(path)
    pq.write_table(
        newer.drop_columns(["sha256"]).replace_schema_metadata({b"mammostream_manifest": b"2"}),
        path,
    )
    with pytest.raises(DatasetError, match="lacks the columns sha256"):
        read_manifest(path)


def test_no_file_is_written_of_a_table_that_is_no_manifest(
    record_of: RecordOf, tmp_path: Path
) -> None:
    frame = to_frame([record_of()])
    for wrong in (frame.drop(columns=["path", "flags"]), frame.assign(age=["x"])):
        with pytest.raises(DatasetError, match="scan again"):
            write_manifest(wrong, tmp_path / "m")
    assert not list(tmp_path.iterdir())
