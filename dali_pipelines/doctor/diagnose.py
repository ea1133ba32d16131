"""What this machine has and what works on it: versions, GPUs, decoders, warnings (`mammo doctor`).

Versions come from what the package installer noted, so that nothing is imported to be counted.
"""

import platform
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from dali_pipelines.doctor.decoder_trial import DecoderCheck, check_decoders
from dali_pipelines.nvjpeg import Nvjpeg, loaded_nvjpeg

ABSENT: Final = "absent"
DISTRIBUTIONS: Final = {  # what we call it -> the packages it may come in
    "mammostream": ("mammostream",),
    "torch": ("torch",),
    "torchvision": ("torchvision",),
    "timm": ("timm",),
    "numpy": ("numpy",),
    "pandas": ("pandas",),
    "pydicom": ("pydicom",),
    "imagecodecs": ("imagecodecs",),
    "dali": ("nvidia-dali-cuda130", "nvidia-dali-cuda120"),
    "nvimgcodec": ("nvidia-nvimgcodec-cu13", "nvidia-nvimgcodec-cu12"),
    "nvjpeg": ("nvidia-nvjpeg", "nvidia-nvjpeg-cu12"),
    "nvjpeg2000": ("nvidia-nvjpeg2k-cu13", "nvidia-nvjpeg2k-cu12"),
    "cupy": ("cupy-cuda13x", "cupy-cuda12x", "cupy"),
}
CODECS: Final = ("openjpeg", "openjph", "charls", "libjpeg_turbo")  # inside imagecodecs

_DRIVER: Final = Path("/proc/driver/nvidia/version")


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU as torch sees it; `memory_gib` is its whole memory."""

    name: str
    memory_gib: float
    capability: str


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All that `mammo doctor` reports. `nvjpeg_file` is "" where no nvJPEG is loaded."""

    system: dict[str, str]
    packages: dict[str, str]
    codecs: dict[str, str]
    gpus: tuple[Gpu, ...]
    nvjpeg_file: str
    decoders: tuple[DecoderCheck, ...]
    warnings: tuple[str, ...]

    @property
    def broken(self) -> tuple[DecoderCheck, ...]:
        """The decoders that a run would use and that do not work."""
        return tuple(check for check in self.decoders if check.chosen and check.outcome != "ok")


def diagnose() -> Diagnosis:
    """Look at the machine, and try every decoder on it."""
    packages, gpus, decoders = package_versions(), list_gpus(), check_decoders()
    nvjpeg = loaded_nvjpeg()  # after DALI was tried, which loads it
    return Diagnosis(
        system={"python": platform.python_version(), "platform": platform.platform()},
        packages=packages,
        codecs=codec_versions(),
        gpus=gpus,
        nvjpeg_file=", ".join(str(library.file) for library in nvjpeg),
        decoders=decoders,
        warnings=tuple(find_warnings(packages, gpus, nvjpeg)),
    )


def package_versions() -> dict[str, str]:
    """Name to installed version, or "absent"; imports none of them."""
    return {
        name: next(filter(None, map(_version, candidates)), ABSENT)
        for name, candidates in DISTRIBUTIONS.items()
    }


def codec_versions() -> dict[str, str]:
    """The versions of the C libraries inside imagecodecs that decode for us."""
    import imagecodecs  # noqa: PLC0415 - 0.1 s

    known = imagecodecs.version(dict)
    return {name: str(known.get(name, ABSENT)) for name in CODECS}


def list_gpus() -> tuple[Gpu, ...]:
    """The GPUs that torch can use."""
    import torch  # noqa: PLC0415 - seconds to import

    found = (torch.cuda.get_device_properties(k) for k in range(torch.cuda.device_count()))
    return tuple(
        Gpu(gpu.name, round(gpu.total_memory / 2**30, 1), f"{gpu.major}.{gpu.minor}")
        for gpu in found
    )


def find_warnings(
    packages: dict[str, str], gpus: Sequence[Gpu], nvjpeg: Sequence[Nvjpeg]
) -> Iterator[str]:
    """Sentences on what works but should be known."""
    if packages["dali"] == ABSENT and platform.system() == "Linux":
        yield "DALI is not installed: nothing can be decoded on a GPU"
    if _version("nvidia-dali-cuda120") and _version("nvidia-dali-cuda130"):
        yield "DALI is installed for CUDA 12 and 13, which own the same files: uninstall one"
    if gpus and packages["cupy"] == ABSENT:
        yield "there is a GPU but no CuPy: pip install 'mammostream[gpu]'"
    if not gpus and _DRIVER.exists():
        yield "there is an NVIDIA driver but torch sees no GPU: is it older than torch's CUDA?"
    yield from (library.complaint for library in nvjpeg if not library.sound)
    if _version("trainer"):
        yield "the package 'trainer' from PyPI shares a folder with ours: use a fresh environment"


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return ""
