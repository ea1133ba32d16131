"""`mammo phantom`: the path on stdout, the rest on stderr, and clear refusals."""

import json
from pathlib import Path

import click
import pydicom
import pytest

import cli.main


def mammo(*args: str) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main.main(["phantom", *args])
    assert isinstance(ended.value.code, int)
    return ended.value.code


SMALL = ("--patients", "2", "--size", "96x80", "--workers", "1", "--prevalence", "0.5")


def test_prints_where_the_labels_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "set"
    assert mammo(str(out), *SMALL, "--syntax", "j2k", "--seed", "5") == 0
    printed = capsys.readouterr()
    assert printed.out == f"{out / 'labels.csv'}\n"
    assert "8 images of 2 patients, 1 with cancer" in printed.err
    header = pydicom.dcmread(min((out / "images").rglob("*.dcm")), stop_before_pixels=True)
    assert (header.Rows, header.Columns) == (96, 80)
    assert header.file_meta.TransferSyntaxUID == "1.2.840.10008.1.2.4.90"
    assert header.PatientID.startswith("PHANTOM-5-")


def test_json_is_one_document(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert mammo(str(tmp_path / "set"), *SMALL, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["labels"] == str(tmp_path / "set" / "labels.csv")
    assert (document["patients"], document["positives"], document["files"]) == (2, 1, 8)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (["--size", "512"], "'512' is not HxW, such as 512x416"),
        (["--size", "512x10"], "size must be 64 to 16,384 pixels a side, not 512x10"),
        (["--syntax", "j2c"], "no syntax 'j2c'. Did you mean 'j2k'?"),
        (["--patients", "0"], "0 is not in the range"),
    ],
)
def test_bad_usage_is_one_sentence_and_code_2(
    args: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mammo(str(tmp_path / "set"), *args) == 2
    printed = capsys.readouterr()
    assert message in printed.err
    assert printed.out == ""
    assert not (tmp_path / "set").exists()


def test_a_folder_of_other_things_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "thesis.txt").touch()
    assert mammo(str(tmp_path), *SMALL) == 2
    assert "is not empty" in capsys.readouterr().err


def test_defaults_are_those_of_the_settings() -> None:
    from cli.phantom import command
    from dali_pipelines.phantom.patients import PhantomSettings

    defaults = {param.name: param.default for param in command.params}
    settings = PhantomSettings()
    assert isinstance(command, click.Command)
    assert defaults["size"] == f"{settings.height}x{settings.width}"
    for name in ("patients", "prevalence", "syntax", "seed", "workers"):
        assert defaults[name] == getattr(settings, name)
