import os
from pathlib import Path
from typing import Any

import pytest

from dali_pipelines.errors import CheckpointError
from trainer.document import number_of, read_document, value_of


@pytest.mark.parametrize("text", ["", "[1]", "{", "[" * 100_000, '"a"', "\xff"])
def test_what_is_no_mapping_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(CheckpointError, match=r"x\.json"):
        read_document(tmp_path / "x.json")


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # which would never end
    for path in (tmp_path, tmp_path / "absent", tmp_path / "pipe"):
        with pytest.raises(CheckpointError, match="no file"):
            read_document(path)


@pytest.mark.parametrize(
    "value", [None, "1", True, float("nan"), float("inf"), 10**400, [1.0], {"a": 1}]
)
def test_a_number_is_finite_and_nothing_else(value: Any) -> None:
    with pytest.raises(CheckpointError, match=r"the file has .* for 'x', a finite number is"):
        number_of({"x": value}, "x", "the file")
    assert number_of({"x": 3}, "x", "the file") == 3.0


def test_a_value_is_of_its_type() -> None:
    assert value_of({"x": [1]}, "x", list, "the file") == [1]
    for value in (1, None, True):
        with pytest.raises(CheckpointError, match="text is wanted"):
            value_of({"x": value}, "x", str, "the file")
    with pytest.raises(CheckpointError, match="a whole number is wanted"):
        value_of({"x": True}, "x", int, "the file")


def test_a_message_does_not_steer_the_terminal() -> None:
    with pytest.raises(CheckpointError) as error:
        value_of({"x": "\x1b[2J" + "a" * 1000}, "x", int, "the file")
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 200
