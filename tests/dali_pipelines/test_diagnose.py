"""The inventory of a machine, from made-up package lists and memory maps."""

import platform
from importlib import metadata
from pathlib import Path

import pytest

from dali_pipelines import diagnose
from dali_pipelines.diagnose import ABSENT, Gpu

GPU = Gpu("NVIDIA H200", 139.8, "9.0")


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What the installer knows; a test changes it."""
    found = {
        "nvidia-dali-cuda130": "2.4.0",
        "nvidia-nvjpeg": "13.3.2.43",
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


def warnings(*gpus: Gpu) -> list[str]:
    return list(diagnose.find_warnings(diagnose.package_versions(), gpus))


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
        ({"nvidia-nvjpeg": "13.0.1.9"}, "decodes lossless JPEG to zeros"),
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


def test_nvjpeg_13_0_2_is_sound(installed: dict[str, str]) -> None:
    installed["nvidia-nvjpeg"] = "13.0.2.28"
    assert warnings(GPU) == []


def test_a_driver_without_a_gpu_is_odd(
    installed: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(diagnose, "_DRIVER", tmp_path)
    (warning,) = warnings()
    assert "torch sees no GPU" in warning
    assert warnings(GPU) == []


def test_a_mapped_library_is_found_by_its_file_name(tmp_path: Path) -> None:
    maps = tmp_path / "maps"
    maps.write_text(
        "7f00-7f01 r--p 00000000 fe:00 11 /a b/lib/libnvjpeg_ext.so.13\n"
        "7f01-7f02 rw-p 00000000 00:00 0\n"
        "7f02-7f03 r-xp 00000000 fe:00 12 /a b/lib/libnvjpeg.so.13.3.2\n"
    )
    assert diagnose.mapped_library("libnvjpeg.so", maps) == "libnvjpeg.so.13.3.2"
    assert diagnose.mapped_library("libnvjpeg2k.so", maps) == ""
    assert diagnose.mapped_library("libnvjpeg.so", tmp_path / "no_such_file") == ""


def test_the_codecs_inside_imagecodecs_are_named() -> None:
    found = diagnose.codec_versions()
    assert set(found) == set(diagnose.CODECS)
    assert all(version[0].isdigit() for version in found.values())
