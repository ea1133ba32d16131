"""The benchmark of the CPU's steps at tiny size; what it measures is not judged here."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks import cpu_steps


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["cpu_steps", "--repeats", "5", *words])
    cpu_steps.main()


def test_it_times_every_step_of_every_syntax(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "steps.json"
    run(monkeypatch, "--size", "128x104", "--images", "2", "--out", str(out))
    rows = json.loads(out.read_text())["syntaxes"]
    assert list(rows) == list(cpu_steps.SYNTAXES)
    for row in rows.values():
        assert (row["images"], row["megapixels"]) == (2, 0.01)
        assert list(row["ms"]) == ["library", *cpu_steps.STEPS, "all steps"]
        assert all(
            0 < times["min"] <= times["median"] <= times["max"] for times in row["ms"].values()
        )
    assert len(capsys.readouterr().out.splitlines()) == len(rows)


def test_given_files_are_measured_as_they_are_stored(
    phantom_manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, folder = tmp_path / "steps.json", phantom_manifest.parent / "exams"
    run(monkeypatch, "--data", str(folder), "--images", "3", "--out", str(out))
    result = json.loads(out.read_text())
    assert list(result["syntaxes"]) == ["stored"]
    assert result["phantoms"] is False
    assert str(folder) not in out.read_text()


def test_the_steps_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    watch = cpu_steps.Stopwatch()
    ticks = iter([0, 3_000_000, 10_000_000, 14_500_000])
    monkeypatch.setattr(cpu_steps.time, "perf_counter_ns", lambda: next(ticks))
    assert watch.time("read", max, 2, 5) == 5
    watch.time("read", sorted, [2, 1], reverse=True)
    assert watch.ms == {"read": 7.5}


def test_too_few_repeats_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, "--repeats", "4")
    assert "--repeats must be at least 5" in capsys.readouterr().err
