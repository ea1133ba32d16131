"""What a run ran on: versions and machine, as plain values for env.json.

No command line, user or path is among them: these may name a patient or a hospital.
"""

import platform
from importlib import metadata
from typing import Any, Final

import torch

from dali_pipelines.cores import core_count
from trainer.distributed import World
from trainer.ranks import restart_count

_PACKAGES: Final = (
    *("torch", "timm", "numpy", "nvidia-dali-cuda130", "cupy-cuda13x", "imagecodecs"),
    *("mammostream", "safetensors", "nvidia-nvjpeg", "nvidia-nvjpeg2k-cu13"),
)


def environment(world: World) -> dict[str, Any]:
    """The versions, the machine of this rank, and how many ranks there are."""
    on_gpu = world.device.type == "cuda"
    return {
        "versions": versions(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "cores": core_count(),
        "device": torch.cuda.get_device_name(world.device) if on_gpu else "cpu",
        "cuda": torch.version.cuda if on_gpu else None,
        "cudnn": torch.backends.cudnn.version() if on_gpu else None,  # type: ignore[no-untyped-call]
        "world_size": world.size,
        "local_size": world.local_size,
        "threads": torch.get_num_threads(),
        "restarts": restart_count(),
    }


def versions() -> dict[str, str]:
    """The versions that a result may depend on; "absent" for what is not installed."""
    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            found[package] = "absent"
    return found
