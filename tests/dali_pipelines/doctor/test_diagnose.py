"""The inventory of a machine, from made-up package lists and memory maps."""

import platform
from importlib import metadata
from pathlib import Path

import pytest

from dali_pipelines.doctor import diagnose
from dali_pipelines.doctor.diagnose import ABSENT, Gpu
from dali_pipelines.nvjpeg import Nvjpeg

GPU = Gpu("NVIDIA H200", 139.8, "9.0")
OLD, NEW = Nvjpeg(Path("/old/libnvjpeg.so.13"), (13, 0, 1)), Nvjpeg(Path("/new"), (13, 0, 2))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the installer knows; a test changes it."""
    found = {
        "nvidia-dali-cuda130": "2.4.0",
        "cupy-cuda13x": "14.2.0",
        "torch": "2.15.0",
    }

    def version(name: str) -> str:
        if name not in found:
            raise metadata.PackageNotFoundError(name)
        return found[name]

    monkeypatch.setattr(metadata, "version", version)
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(diagnose, "_DRIVER", Path("/nowhere"))
    return found


def warnings(*gpus: Gpu, nvjpeg: tuple[Nvjpeg, ...] = (NEW,)) -> list[str]:
    return list(diagnose.find_warnings(diagnose.package_versions(), gpus, nvjpeg))


def test_versions_or_absent(installed: dict[str, str]) -> None:
    found = diagnose.package_versions()
    assert found["dali"] == "2.4.0"
    assert found["cupy"] == "14.2.0"
    assert found["timm"] == ABSENT


def test_a_sound_machine_has_no_warnings(installed: dict[str, str]) -> None:
    assert warnings(GPU) == []
    assert warnings() == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"nvidia-dali-cuda130": None}, "DALI is not installed"),
        ({"nvidia-dali-cuda120": "2.4.0"}, "CUDA 12 and 13"),
        ({"cupy-cuda13x": None}, "pip install 'mammostream[gpu]'"),
        ({"trainer": "0.0.36"}, "fresh environment"),
    ],
)
def test_each_trouble_is_one_warning(
    change: dict[str, str | None], said: str, installed: dict[str, str]
) -> None:
    for name, version in change.items():
        installed.pop(name, None)
        if version:
            installed[name] = version
    (warning,) = warnings(GPU)
    assert said in warning


def test_each_loaded_nvjpeg_that_is_too_old_is_a_warning(installed: dict[str, str]) -> None:
    (warning,) = warnings(GPU, nvjpeg=(NEW, OLD))
    assert "/old/libnvjpeg.so.13 is nvJPEG 13.0.1" in warning
    assert warnings(GPU, nvjpeg=()) == []


def test_a_driver_without_a_gpu_is_odd(
    installed: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(diagnose, "_DRIVER", tmp_path)
    (warning,) = warnings()
    assert "torch sees no GPU" in warning
    assert warnings(GPU) == []


def test_the_codecs_inside_imagecodecs_are_named() -> None:
    found = diagnose.codec_versions()
    assert set(found) == set(diagnose.CODECS)
    assert all(version[0].isdigit() for version in found.values())
