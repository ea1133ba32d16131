"""The document of `mammo benchmark`, with the parts run in this process and times made up."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks import suite
from benchmarks.images import Images
from benchmarks.suite import PARTS, SuiteSettings, run_suite
from dali_pipelines.errors import ConfigError, DeviceError
from dali_pipelines.recipe import load_recipe

RECIPE = load_recipe("demo", ["resize.size=[64, 32]"])


def settings(folder: Path, **changes: Any) -> SuiteSettings:
    plain = {"device": "cpu", "images": Images((folder,), count=4), "batch": 2, "threads": 2}
    return SuiteSettings(**plain | {"model": "test_resnet"} | changes)


@pytest.mark.parametrize("what", PARTS)
def test_every_part_is_measured(
    monkeypatch: pytest.MonkeyPatch, measure_here: Callable, tiny_dicom: Path, what: Any
) -> None:
    monkeypatch.setattr(suite, "measure", measure_here)
    chosen = settings(tiny_dicom, what=what, syntaxes=("stored", "jpeg_sv1"), repeats=1)
    passes: list[int] = []
    document = run_suite(chosen, RECIPE, lambda: passes.append(1))
    json.dumps(document)
    rows = document["rows"]
    wanted = [(part, syntax) for syntax in ("stored", "jpeg_sv1") for part in PARTS[what]]
    assert [(row["part"], row["syntax"]) for row in rows] == wanted
    assert len(passes) == chosen.passes == 2 * len(wanted)
    with_training = "train" in PARTS[what]
    assert list(document["overlap"]) == (["stored", "jpeg_sv1"] if with_training else [])


def test_a_row_by_hand(
    monkeypatch: pytest.MonkeyPatch, measure_here: Callable, tiny_dicom: Path
) -> None:
    """4 images of 128 x 104 px; repeats of 1, 2, 3, 4 and 5 s, each of twice the CPU time."""
    monkeypatch.setattr(suite, "measure", measure_here)
    document = run_suite(settings(tiny_dicom, what="loader"), RECIPE)
    (row,) = document["rows"]
    assert row == {
        "part": "loader",
        "syntax": "stored",
        "megapixels": 0.1,
        "img_s": {"median": 1.333, "min": 0.8, "max": 4.0},
        "mp_s": {"median": 0.01775, "min": 0.01065, "max": 0.05325},
        "cpu_s_per_image": {"median": 1.5, "min": 0.5, "max": 2.5},
        "peak_mib": 125,
        "import_mib": 100,
        "above_import_mib": 25,
    }
    about = document["settings"]
    assert (about["device"], about["threads"], about["recipe_hash"]) == ("cpu", 2, RECIPE.hash)
    assert str(tiny_dicom) not in json.dumps(document)
    assert document["machine"]["cores"] >= 1


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"syntaxes": ("j2",)}, ConfigError),
        ({"model": "nonet"}, ConfigError),
        ({"images": Images((Path("/no/such/folder"),))}, ConfigError),
    ],
)
def test_mistakes_are_found_before_anything_is_measured(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, changes: dict, error: type[Exception]
) -> None:
    monkeypatch.setattr(suite, "measure", lambda *_: pytest.fail("measured"))
    with pytest.raises(error):
        run_suite(settings(tmp_path, **changes), RECIPE)


def test_without_a_gpu_it_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(DeviceError, match="use --device cpu"):
        run_suite(settings(tmp_path, device="gpu"), RECIPE)
