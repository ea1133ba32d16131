"""Files that exist whole or not at all."""

import os
import stat
from pathlib import Path

import pytest

from dali_pipelines.atomic import PRIVATE_MODE, replacing
from dali_pipelines.errors import ConfigError


def test_the_new_content_takes_the_place_of_the_old_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "table"
    path.write_text("old")
    with replacing(path, PRIVATE_MODE) as aside:
        aside.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_the_old_content_and_nothing_aside(tmp_path: Path) -> None:
    path = tmp_path / "table"
    path.write_text("old")
    with pytest.raises(OSError, match="disk full"), replacing(path) as aside:
        aside.write_text("half")
        raise OSError("disk full")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_pipe_or_a_folder_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(ConfigError, match="no regular file"), replacing(tmp_path / name):
            pass
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert len(list(tmp_path.iterdir())) == 2
