"""The facts that every benchmark's result carries: machine, versions, commit, date.

No host name, user or path is among them: results are committed.
"""

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from dali_pipelines.cores import core_count

ROOT: Final = Path(__file__).parent.parent
PACKAGES: Final = (
    *("torch", "timm", "numpy", "pandas", "pydicom", "imagecodecs", "click"),
    *("nvidia-dali-cuda130", "nvidia-nvjpeg", "nvidia-nvjpeg2k-cu13", "cupy-cuda13x"),
)
_GPU_FACTS: Final = Path("/proc/driver/nvidia/gpus")


def machine_facts() -> dict[str, Any]:
    """What ran the benchmark, as plain values for JSON."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
        "cpu": cpu_model(),
        "cores": core_count(),
        "load": round(os.getloadavg()[0], 1),  # what else ran: the average of the last minute
        "memory_gib": memory_gib(),
        "gpus": gpu_models(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": package_versions(),
    }


def commit() -> str:
    """The commit of this checkout, with "+" if files differ from it; "" outside a checkout."""
    if not (ROOT / ".git").exists():  # installed: a repository further up is not ours
        return ""
    head = _git("rev-parse", "--short=12", "HEAD")
    return head + "+" if head and _git("status", "--porcelain") else head


def cpu_model(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's own name for itself."""
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def memory_gib() -> float:
    """Physical memory."""
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)


def gpu_models(folder: Path = _GPU_FACTS) -> list[str]:
    """The NVIDIA GPUs that the driver lists, [] without one."""
    texts = (file.read_text() for file in sorted(folder.glob("*/information")))
    lines = (line for text in texts for line in text.splitlines())
    return [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]


def package_versions() -> dict[str, str]:
    """The installed ones of PACKAGES."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _git(*args: str) -> str:
    try:
        result = subprocess.run(  # noqa: S603 - fixed arguments
            ["git", "-C", str(ROOT), *args],  # noqa: S607 - the git of the user's path
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return ""
    return result.stdout.strip() if result.returncode == 0 else ""
