"""`mammo benchmark`: one real run, and what the options become."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import benchmarks.suite
from benchmarks.images import Images
from benchmarks.suite import MODEL, SuiteSettings
from cli.benchmark import command
from dali_pipelines.errors import ConfigError, DeviceError

SPREAD = {"median": 2.0, "min": 1.0, "max": 12345.6}
ROW = {
    "part": "loader",
    "syntax": "j2k",
    "img_s": SPREAD,
    "mp_s": SPREAD,
    "cpu_s_per_image": SPREAD,
    "peak_mib": 1234,
    "import_mib": 234,
    "above_import_mib": 1000,
}
BLANK = dict.fromkeys(("cpu_s_per_image", "peak_mib", "import_mib", "above_import_mib"))
DOCUMENT = {"rows": [ROW, {**ROW, "part": "train", **BLANK}], "overlap": {"j2k": 0.93}}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What the command would have measured."""
    made: list[dict[str, Any]] = []

    def run_suite(settings: SuiteSettings, recipe: Any, on_pass: Any) -> dict[str, Any]:
        on_pass()
        made.append({"settings": settings, "recipe": recipe})
        return DOCUMENT

    monkeypatch.setattr(benchmarks.suite, "run_suite", run_suite)
    return made


def _run(*args: str) -> Result:
    return CliRunner().invoke(command, args, standalone_mode=False)


def test_a_real_run_gives_one_document(tiny_archive: Path) -> None:
    result = _run(
        "loader", "--data", str(tiny_archive), "--syntax", "raw", "--recipe", "demo",
        "--images", "4", "--batch", "2", "--device", "cpu", "-j", "1", "--json",
    )  # fmt: skip
    assert result.exception is None
    document = json.loads(result.stdout)
    assert list(document) == ["machine", "settings", "rows", "overlap"]
    (row,) = document["rows"]
    assert (row["part"], row["syntax"]) == ("loader", "raw")
    assert 0 < row["img_s"]["min"] <= row["img_s"]["median"] <= row["img_s"]["max"]
    assert str(tiny_archive) not in result.stdout


@pytest.fixture
def tiny_archive(tmp_path: Path) -> Path:
    Images((), (128, 104), 4).records("jpegls", tmp_path / "dicom")
    return tmp_path / "dicom" / "images"


def test_the_plain_call_measures_all_on_phantoms(calls: list[dict[str, Any]]) -> None:
    result = _run()
    assert result.exception is None
    (call,) = calls
    assert call["settings"] == SuiteSettings("all", "auto", Images((), count=16), model=MODEL)
    assert call["recipe"].name == "default-1536"
    lines = result.stdout.splitlines()
    assert lines[0].split()[:3] == ["part", "syntax", "img/s"]
    assert lines[1].split()[:6] == ["loader", "j2k", "2", "(1", "-", "1.235e+04)"]
    assert lines[1].split()[-2:] == ["1,234", "1,000"]
    assert lines[2].split()[-3:] == ["-", "-", "-"]
    assert "j2k: 0.93" in lines[3]


def test_options_reach_the_suite(calls: list[dict[str, Any]]) -> None:
    result = _run(
        "train-step", "--data", "a", "--data", "b.dcm", "--syntax", "j2k", "--syntax", "htj2k",
        "--recipe", "demo", "--set", "decode.reduce=auto", "--images", "64", "--batch", "4",
        "--repeats", "7", "-j", "3", "--model", "resnet18", "--device", "gpu",
    )  # fmt: skip
    assert result.exception is None
    (call,) = calls
    assert call["settings"] == SuiteSettings(
        "train-step", "gpu", Images((Path("a"), Path("b.dcm")), count=64), ("j2k", "htj2k"),
        batch=4, threads=3, repeats=7, model="resnet18",
    )  # fmt: skip
    assert call["recipe"].decode.reduce == "auto"


def test_fewer_than_five_repeats_are_no_measurement() -> None:
    assert CliRunner().invoke(command, ["--repeats", "4"]).exit_code == 2


@pytest.mark.parametrize(
    ("args", "error", "message"),
    [
        (["--recipe", "dmo"], ConfigError, "Did you mean 'demo'"),
        (["--syntax", "j2"], ConfigError, "Did you mean 'j2k'"),
        (["--data", "absent"], ConfigError, "no file or folder 'absent'"),
        (["train-step", "--model", "nonet"], ConfigError, "timm has no model 'nonet'"),
        (["--device", "gpu"], DeviceError, "use --device cpu"),
    ],
)
def test_a_mistake_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, args: list[str], error: type[Exception], message: str
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    result = _run(*args)
    assert isinstance(result.exception, error)
    assert message in str(result.exception)
    assert result.stdout == ""
