"""`mammo doctor` on this machine, and on machines where something is broken."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cli.main
from dali_pipelines.dicom.uids import ENCAPSULATED_SYNTAXES, NATIVE_SYNTAXES
from dali_pipelines.routing import has_dali
from dali_pipelines.stages import Pixels
from dali_pipelines.verdicts import Reason, RejectError


def run(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        cli.main.main(["doctor", *args])
    out, err = capsys.readouterr()
    assert isinstance(ended.value.code, int)
    return ended.value.code, out, err


def checks(out: str) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["syntax"], row["decoder"]): row for row in json.loads(out)["decoders"]}


def test_every_syntax_is_decoded_bit_for_bit(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "--json")
    assert (code, err) == (0, "")
    found = checks(out)
    assert {row["uid"] for row in found.values()} == {*ENCAPSULATED_SYNTAXES, *NATIVE_SYNTAXES}
    assert {row["outcome"] for row in found.values()} == {"ok"}
    assert found["jpegls", "imagecodecs"]["uid"] == "1.2.840.10008.1.2.4.80"
    assert found["raw", "numpy"]["chosen"]
    if has_dali():
        assert not found["j2k", "dali"]["chosen"]
    assert found["j2k", "imagecodecs"]["chosen"]


def test_the_text_report_has_its_blocks(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys)
    assert (code, err) == (0, "")
    heads = [line.split()[0] for line in out.splitlines() if not line.startswith(" ")]
    assert [head for head in heads if head != "nvjpeg"] == [
        *("system", "packages", "codecs", "gpus", "decode", "warnings")
    ]
    assert "jpeg_lossless_7  1.2.840.10008.1.2.4.57   imagecodecs  ok" in out
    assert "jpegls_near      1.2.840.10008.1.2.4.81   imagecodecs  ok          within 2" in out


def test_wrong_values_are_4(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def zeros(*_: object) -> Pixels:
        return Pixels(np.zeros((48, 64), np.uint16))

    monkeypatch.setattr("dali_pipelines.isolation.pool.DecodePool.decode", zeros)
    code, out, err = run(capsys)
    assert code == 4
    assert "imagecodecs for jpeg_sv1" in err
    assert len(err.splitlines()) == 1
    assert "values differ" in out


def test_a_refusal_is_4(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Pixels:
        raise RejectError(Reason.CORRUPT, "no")

    monkeypatch.setattr("dali_pipelines.isolation.pool.DecodePool.decode", refuse)
    code, out, _ = run(capsys, "--json")
    assert code == 4
    row = checks(out)["rle", "imagecodecs"]
    assert (row["outcome"], row["detail"]) == ("failed", "E_CORRUPT: no")


@pytest.mark.skipif(not has_dali(), reason="DALI is not installed")
def test_a_library_that_does_not_load_is_unavailable(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "dali_pipelines.graph", None)
    code, out, _ = run(capsys, "--json")
    assert code == 0  # a run does without it
    assert checks(out)["j2k", "dali"]["outcome"] == "unavailable"
    assert checks(out)["j2k", "imagecodecs"]["outcome"] == "ok"


@pytest.mark.skipif(not has_dali(), reason="DALI is not installed")
def test_a_stand_in_does_not_hide_that_dali_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dali_pipelines.graph import BatchError, DaliDecoder

    def refuse(*_: object) -> None:
        raise BatchError("no")

    monkeypatch.setattr(DaliDecoder, "decode", refuse)
    code, out, _ = run(capsys, "--json")
    assert code == 0
    assert checks(out)["j2k", "dali"]["outcome"] == "failed"


def test_a_wrong_decoder_shows_in_the_table(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> Pixels:
        raise RejectError(Reason.CORRUPT, "no")

    monkeypatch.setattr("dali_pipelines.isolation.pool.DecodePool.decode", refuse)
    code, out, _ = run(capsys, "--markdown")
    assert code == 4
    assert "| RLE | 1.2.840.10008.1.2.5 | imagecodecs | failed | as on the CPU |" in out
    assert "| deflated | 1.2.840.10008.1.2.1.99 | NumPy | bit for bit | as on the CPU |" in out


@pytest.mark.parametrize("other", ["--tune", "--json"])
def test_the_table_goes_with_nothing_else(other: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "--markdown", other)
    assert code == 2
    assert "--markdown goes with neither" in err


@pytest.fixture
def quick_tuning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tuning on two tiny images, of one setting."""
    from benchmarks import tune

    monkeypatch.setattr(tune, "SIZE", (128, 104))
    monkeypatch.setattr(tune, "COUNT", {"cpu": 2, "gpu": 2})
    monkeypatch.setattr(tune, "choices", lambda *_: {"prefetch": [2, 1]})


@pytest.mark.usefixtures("quick_tuning")
def test_tuning_gives_options_that_training_takes(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.tune import Bench, LoaderSettings, Trial
    from cli.resolve import split_sets

    def trial(_: Bench, settings: LoaderSettings) -> Trial:
        return Trial(settings, {"j2k": 2.0 if settings.prefetch == 1 else 1.0})

    monkeypatch.setattr(Bench, "trial", trial)
    code, out, _ = run(capsys, "--tune", "--device", "cpu", "--json")
    document = json.loads(out)
    assert code == 0
    assert document["set"] == ["--set", "loader.prefetch=1"]
    assert document["gain"] == 2.0
    assert document["best"]["img_s"] == {"j2k": 2.0}
    of_train, of_recipe = split_sets((document["set"][1],))
    assert (list(of_train), list(of_recipe)) == (["loader.prefetch=1"], [])
    code, out, _ = run(capsys, "--tune", "--device", "cpu")
    assert out.splitlines()[-1] == "--set loader.prefetch=1"


@pytest.mark.usefixtures("quick_tuning")
def test_tuning_measures(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "--tune", "--device", "cpu")
    assert code == 0
    titles, *lines = out.splitlines()
    assert titles.split() == [
        *("threads", "batch", "readers", "prefetch", "isolation", "j2k", "jpeg_sv1", "img/s")
    ]
    assert [line.split()[3] for line in lines[:2]] == ["2", "1"]


@pytest.mark.usefixtures("quick_tuning")
def test_nothing_to_tune_on_is_3(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("no image")
    code, _, err = run(capsys, "--tune", "--device", "cpu", "--data", str(tmp_path))
    assert code == 3
    assert "no image among" in err


@pytest.mark.parametrize("words", [("--data", "."), ("--device", "cpu")])
def test_what_is_for_tuning_alone_is_2(
    words: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = run(capsys, *words)
    assert code == 2
    assert "go with --tune" in err
