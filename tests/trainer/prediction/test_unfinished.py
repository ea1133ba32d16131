import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dali_pipelines.atomic import claim
from dali_pipelines.errors import ConfigError
from dali_pipelines.verdicts import Reason, Reject
from trainer.distributed import World
from trainer.prediction.member_scores import BlockScores
from trainer.prediction.unfinished import remove_unfinished, take_up, unfinished_beside

ALONE = World(0, 1, 1, torch.device("cpu"))
REJECT = Reject("/x/\udcff.dcm", "a,b", "c" * 32, "decode", Reason.TRUNCATED, "cut\nshort")


def _scores(block: int, *logits: float) -> BlockScores:
    indices = np.array([block * 2 + k for k in range(len(logits))], dtype=np.int64)
    return BlockScores(block, indices, np.array([logits], dtype=np.float64).T, (REJECT,))


def _keep(folder: Path, *blocks: BlockScores, fingerprint: str = "f") -> None:
    with take_up(folder, fingerprint, ALONE, "auto") as unfinished:
        for block in blocks:
            unfinished.add(block)


def _found(folder: Path, fingerprint: str = "f", resume: str = "auto") -> tuple[BlockScores, ...]:
    with take_up(folder, fingerprint, ALONE, resume) as unfinished:  # type: ignore[arg-type]
        return unfinished.done


def _same(found: BlockScores, wanted: BlockScores) -> bool:
    return (
        (found.block, found.rejects) == (wanted.block, wanted.rejects)
        and found.indices.tobytes() == wanted.indices.tobytes()
        and found.logits.shape == wanted.logits.shape
        and np.array_equal(found.logits, wanted.logits, equal_nan=True)
    )


@settings(max_examples=30)
@given(st.lists(st.floats(allow_infinity=False), max_size=6), st.integers(1, 3))
def test_rows_come_back_to_the_bit(
    tmp_path_factory: pytest.TempPathFactory, values: list[float], members: int
) -> None:
    folder = tmp_path_factory.mktemp("kept") / "unfinished"
    rows = len(values) // members
    logits = np.array(values[: rows * members], dtype=np.float64).reshape(rows, members)
    wanted = BlockScores(7, np.arange(rows, dtype=np.int64), logits, (REJECT,) * 2)
    _keep(folder, wanted)
    assert [_same(found, wanted) for found in _found(folder)] == [True]


def test_a_line_that_death_cut_short_is_dropped_wherever_it_was_cut(tmp_path: Path) -> None:
    folder = tmp_path / "unfinished"
    _keep(folder, _scores(0, 0.1, math.pi), _scores(3, math.nan))
    rows = folder / "rows-0-0"
    whole = rows.read_bytes()
    first = whole.index(b"\n") + 1
    for length in [
        *range(0, len(whole), 11),
        first - 1,
        first,
        first + 1,
        len(whole) - 1,
        len(whole),
    ]:
        rows.write_bytes(whole[:length])
        done = [scores.block for scores in _found(folder)]
        assert done == [0, 3][: (length >= first) + (length == len(whole))]
        (folder / "rows-1-0").unlink()
    spoiled = whole.replace(b"3.14", b"3.15", 1)
    rows.write_bytes(spoiled)
    assert _found(folder) == ()


def test_every_life_adds_a_file_and_later_ones_know_all(tmp_path: Path) -> None:
    folder = tmp_path / "unfinished"
    wanted = [_scores(4, 1.0), _scores(0, 2.0), _scores(2, 3.0)]
    for scores in wanted:
        _keep(folder, scores)
    assert [scores.block for scores in _found(folder)] == [0, 2, 4]
    assert sorted(path.name for path in folder.iterdir()) == [
        *("about.json", "rows-0-0", "rows-1-0", "rows-2-0", "rows-3-0")
    ]
    assert {oct(path.stat().st_mode & 0o777) for path in folder.iterdir()} == {"0o600"}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_what_is_of_another_prediction_is_kept_until_that_is_given_up(tmp_path: Path) -> None:
    folder = tmp_path / "unfinished"
    _keep(folder, _scores(0, 1.0))
    with pytest.raises(
        ConfigError, match=r"'unfinished' beside OUT holds scores of .*blocks: 1.*--resume no"
    ):
        _found(folder, "other")
    assert [scores.block for scores in _found(folder)] == [0]
    assert _found(folder, "other", "no") == ()
    assert _found(folder) == ()  # nothing is lost with what holds nothing
    _keep(folder, _scores(0, 1.0))
    (folder / "about.json").write_text("[")
    with pytest.raises(ConfigError, match="--resume no"):
        _found(folder)


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "unfinished"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    _keep(folder, _scores(0, 1.0))
    remove_unfinished(folder)
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]
    (folder / "mine.txt").unlink()
    remove_unfinished(folder)
    remove_unfinished(folder)
    assert list(tmp_path.iterdir()) == []


def test_two_runs_to_one_file_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "unfinished"
    with claim(folder), pytest.raises(ConfigError, match="another run is writing"):
        _found(folder)


def test_what_was_taken_up_anew_is_not_removed(tmp_path: Path) -> None:
    """By a process that was still writing its tables: the other one's rows are not its own."""
    folder = tmp_path / "unfinished"
    _keep(folder, _scores(0, 1.0))
    with take_up(folder, "f", ALONE, "auto") as other:
        other.add(_scores(1, 2.0))
        remove_unfinished(folder)
    assert [scores.block for scores in _found(folder)] == [0, 1]


def test_without_a_folder_nothing_is_kept() -> None:
    with take_up(None, "f", ALONE, "auto") as unfinished:
        unfinished.add(_scores(0, 1.0))
        assert unfinished.done == ()


def test_the_folder_is_beside_the_table() -> None:
    assert unfinished_beside(Path("a/scores.csv")) == Path("a/scores_unfinished")
