"""The benchmark of augmentation at tiny size; what it measures is not judged here."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks import augment


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> None:
    monkeypatch.setattr(sys, "argv", ["augment", *words])
    monkeypatch.setattr(augment, "BATCHES", 1)
    augment.main()


def test_it_times_the_step_every_preset_and_every_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "augment.json"
    words = ("--size", "32x24", "--batch", "2", "--repeats", "5", "--out", str(out))
    run(monkeypatch, *words)
    rows = json.loads(out.read_text())["rows"]
    assert list(rows) == ["step", *augment.contenders()]
    assert {"preset strong", "preset rsna-1st", "elastic", "noise"} < set(rows)
    for row in rows.values():
        assert 0 < row["ms"]["min"] <= row["ms"]["median"] <= row["ms"]["max"]
    assert rows["step"]["share_of_step"] == 1
    assert len(capsys.readouterr().out.splitlines()) == len(rows)


def test_too_few_repeats_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, "--repeats", "4")
    assert "--repeats must be at least 5" in capsys.readouterr().err
