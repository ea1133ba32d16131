"""The loader's benchmark runs at tiny size; what it measures is not judged here."""

import json
import sys
from pathlib import Path

import pytest

from benchmarks import loader


def test_it_measures_every_syntax(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "loader.json"
    words = f"loader --size 128x104 --images 2 --repeats 1 --out {out}"
    monkeypatch.setattr(sys, "argv", words.split())
    loader.main()
    result = json.loads(out.read_text())
    assert list(result["rates"]) == list(loader.SYNTAXES)
    assert all(row["loader_img_s"] > 0 for row in result["rates"].values())
    assert "ratio" not in result["rates"]["htj2k"]
    assert len(capsys.readouterr().out.splitlines()) == len(loader.SYNTAXES)
