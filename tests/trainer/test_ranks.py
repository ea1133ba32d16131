from pathlib import Path

import pytest

from trainer.ranks import EXIT_CODES, is_rank, leave_exit_code, restart_count


def test_a_plain_process_is_no_rank(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("RANK", "TORCHELASTIC_RESTART_COUNT", EXIT_CODES):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    assert not is_rank()
    assert restart_count() == 0
    leave_exit_code(2)
    assert not list(tmp_path.iterdir())


def test_a_rank_leaves_its_code_by_start_and_rank(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RANK", "3")
    monkeypatch.setenv("TORCHELASTIC_RESTART_COUNT", "2")
    monkeypatch.setenv(EXIT_CODES, str(tmp_path))
    assert is_rank()
    assert restart_count() == 2
    leave_exit_code(75)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"2-3": "75"}


def test_a_launcher_that_is_gone_is_told_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv(EXIT_CODES, str(tmp_path / "gone"))
    leave_exit_code(2)
    assert not list(tmp_path.iterdir())
