"""The GPU, its driver, and the libraries that decode on it: files and versions as loaded."""

import ctypes
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import torch

from benchmarks.gpu.decoders import new_dali
from benchmarks.gpu.inputs import Inputs, Note

_MAPS: Final = Path("/proc/self/maps")
_LIBRARIES: Final = {  # file name -> the function that gives its version, part by part
    "libnvjpeg.so": "nvjpegGetProperty",
    "libnvjpeg2k.so": "nvjpeg2kGetProperty",
    "libnvimgcodec.so": "",
}
_PARTS: Final = 3  # MAJOR_VERSION, MINOR_VERSION, PATCH_LEVEL of CUDA's library_types.h


def measure(_inputs: Inputs, note: Note) -> None:
    """What runs the report; no path of a user, only names of files."""
    found = torch.cuda.get_device_properties(torch.cuda.current_device())
    note("name", found.name)
    note("memory_gib", round(found.total_memory / 2**30, 1))
    note("multiprocessors", found.multi_processor_count)
    note("compute", f"{found.major}.{found.minor}")
    note("driver", driver_version())
    note("cuda_of_torch", torch.version.cuda)
    decoder = new_dali(1)  # loads what decodes
    note("libraries", loaded_libraries())
    del decoder


def driver_version() -> str:
    """As nvidia-smi gives it, "" without it."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return ""
    query = [program, "--query-gpu=driver_version", "--format=csv,noheader"]
    found = subprocess.run(query, capture_output=True, text=True, check=False)  # noqa: S603
    return found.stdout.strip().partition("\n")[0]


def loaded_libraries(maps: Path = _MAPS) -> dict[str, str]:
    """The versions of the decoding libraries that this process has loaded, by file name."""
    files = {
        Path(line.split(maxsplit=5)[5].strip())
        for line in maps.read_text(errors="replace").splitlines()
        if len(line.split(maxsplit=5)) > 5
    }
    return {
        file.name: _version(file, function)
        for file in sorted(files)
        for prefix, function in _LIBRARIES.items()
        if file.name.startswith(prefix)
    }


def _version(file: Path, function: str) -> str:
    """Such as "13.0.2", "" where the library does not say."""
    part: Any = ctypes.c_int()
    numbers = []
    try:
        ask = getattr(ctypes.CDLL(str(file)), function)
    except (OSError, AttributeError):
        return ""
    for k in range(_PARTS):
        if ask(k, ctypes.byref(part)):
            return ""
        numbers.append(str(part.value))
    return ".".join(numbers)
