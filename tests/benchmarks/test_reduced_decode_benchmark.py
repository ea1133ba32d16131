"""The benchmark of reduced decoding runs at tiny size; what it measures is not judged here."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import reduced_decode


def test_it_measures_every_level(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "reduced.json"
    words = f"reduced_decode --size 256x208 --images 1 --repeats 1 --recipe demo --out {out}"
    monkeypatch.setattr(sys, "argv", words.split())
    reduced_decode.main()
    result = json.loads(out.read_text())
    assert len(capsys.readouterr().out.splitlines()) == len(result["rows"]) == 10
    whole, *reduced = result["rows"][:5]
    assert (whole["reduce"], whole["psnr_db"], whole["full_frame_psnr_db"]) == (0, None, None)
    assert [row["levels_left_out"] for row in reduced[:3]] == [1, 2, 3]
    assert all(row["full_frame_psnr_db"] > 20 for row in reduced if row["levels_left_out"])
    assert all(row["decode_ms"]["median"] > 0 for row in result["rows"])


def test_psnr_by_hand() -> None:
    truth = np.array([[[0.0, 0.5, 1.0]]], np.float32)
    image = np.array([[[9.0, 0.6, 1.0]]], np.float32)  # black px do not count
    assert reduced_decode.psnr_db(image, truth) == pytest.approx(23.01, abs=0.01)  # 0.01 / 2
    assert reduced_decode.psnr_db(truth, truth) is None
