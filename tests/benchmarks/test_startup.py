"""The start-up benchmark at its smallest: that it runs, and its arithmetic."""

import json
from pathlib import Path

import pytest

from benchmarks import startup


def test_summary_by_hand() -> None:
    times_s = [0.1, 0.2, 0.3, 0.4, 0.5]
    assert startup.summarize(times_s) == {"median_s": 0.3, "q1_s": 0.15, "q3_s": 0.45}


def test_it_runs_and_writes_its_result(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "startup.json"
    monkeypatch.setattr("sys.argv", ["startup", "--repeats", "2", "--out", str(out)])
    startup.main()
    result = json.loads(out.read_text())
    assert list(result["timings"]) == list(startup.COMMANDS)
    assert result["machine"]["cores"] >= 1
    assert "mammo --help" in capsys.readouterr().out
