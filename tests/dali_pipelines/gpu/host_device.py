"""A GpuDevice without a GPU: g++ compiles the kernels, through cuda_shim.hpp, for this CPU."""

import ctypes
import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock

import numpy as np
import torch

from dali_pipelines.gpu.device import Argument, Dim, read_source

FOLDER = Path(__file__).parent
SHIM = ("cuda_shim.hpp", "cuda_functions.hpp")  # the second includes the first
KERNEL = re.compile(r"__global__\s+void\s+(?:__launch_bounds__\s*\([^)]*\)\s*)?(\w+)\s*\(")
UNDEFINED = "alignment,bounds,float-cast-overflow,integer-divide-by-zero,null,shift"
OPTIONS = (
    *("-std=c++17", "-shared", "-fPIC", "-g1", "-fno-gnu-unique"),
    *("-O2", "-ffp-contract=off", "-fno-fast-math"),  # the rounding of nvrtc's --fmad=false
    f"-fsanitize={UNDEFINED}",  # the shim has the functions that this calls
    "-U_FORTIFY_SOURCE",  # it takes a jump from one fiber to another for a damaged stack
    *("-Werror=uninitialized", "-Werror=return-type"),
)
LIMITS = {"grid": (2**31 - 1, 65535, 65535), "block": (1024, 1024, 64)}  # of every GPU in use
THREADS_PER_BLOCK = 1024
TORCH_CODES = {
    torch.bool: "b1",
    torch.uint8: "u1",
    torch.int8: "i1",
    torch.uint16: "u2",
    torch.int16: "i2",
    torch.float16: "u2",  # the shim has no half type: kernels see its bits
    torch.bfloat16: "u2",
    torch.uint32: "u4",
    torch.int32: "i4",
    torch.float32: "f4",
    torch.uint64: "u8",
    torch.int64: "i8",
    torch.float64: "f8",
}

ONE_LAUNCH = Lock()  # the shim keeps the threads of a launch in static variables


def compiler() -> str | None:
    """The path of g++; None where there is none, or the shim cannot work (it needs Linux)."""
    return shutil.which("g++") if os.uname().sysname == "Linux" else None


class HostDevice:
    """Runs the kernels on the CPU, each launch to its end before `launch` returns.

    It refuses what a GPU would answer with a wrong result or an error of the driver: arguments of
    another number or type than the kernel's parameters, tensors that are not contiguous, and grids
    or blocks out of range. `launched` lists what ran. `read` gives the source of a name.
    """

    torch_device = torch.device("cpu")

    def __init__(self, read: Callable[[str], str] = read_source) -> None:
        self.launched: list[tuple[str, str]] = []
        self._read = read
        self._programs: dict[str, Program] = {}

    def launch(
        self, source: str, kernel: str, grid: Dim, block: Dim, args: Sequence[Argument]
    ) -> None:
        """Run `kernel` of the source of that name to its end."""
        with ONE_LAUNCH:
            if source not in self._programs:
                self._programs[source] = Program(source, self._read(source))
            self._programs[source].run(kernel, _dim("grid", grid), _dim("block", block), args)
            self.launched.append((source, kernel))


class Program:
    """The kernels of one source, compiled."""

    def __init__(self, name: str, source: str) -> None:
        kernels = KERNEL.findall(source)
        # A name space without a name keeps what is inline from being shared between libraries.
        unit = f'namespace {{\n#line 1 "{name}.cu"\n{source}\n}}\n'
        unit += "".join(f"HOST_KERNEL({kernel})\n" for kernel in kernels)
        library = ctypes.CDLL(str(_build(unit)))
        self._name = name
        self._signatures = {}
        self._launch = {}
        for kernel in kernels:
            signature, launch = library[f"signature_{kernel}"], library[f"launch_{kernel}"]
            signature.restype = launch.restype = ctypes.c_char_p
            self._signatures[kernel] = signature().decode().split()
            self._launch[kernel] = launch

    def run(self, kernel: str, grid: Dim, block: Dim, args: Sequence[Argument]) -> None:
        """Run one kernel; TypeError and ValueError where CUDA would fail or misread, in silence."""
        wanted = self._signatures[kernel]
        where = f"{kernel} of {self._name}.cu"
        if len(args) != len(wanted):
            raise TypeError(f"{where} takes {len(wanted)} arguments ({wanted}), not {len(args)}")
        for number, (arg, code) in enumerate(zip(args, wanted, strict=True)):
            _check(f"{where}, argument {number}", arg, code)
        # As cuLaunchKernel has it: the address of each value, a tensor's value being its address.
        values = [np.uint64(a.data_ptr()) if isinstance(a, torch.Tensor) else a for a in args]
        cells = [np.array(value) for value in values]
        addresses = (ctypes.c_void_p * len(cells))(*(cell.ctypes.data for cell in cells))
        dims = [(ctypes.c_uint * 3)(*dim) for dim in (grid, block)]
        failure = self._launch[kernel](*dims, addresses)
        if failure:
            raise RuntimeError(f"{where}: {failure.decode()}")


def _check(where: str, arg: Argument, code: str) -> None:
    if isinstance(arg, torch.Tensor):
        if arg.device.type != "cpu" or not arg.is_contiguous():
            raise ValueError(f"{where} must be a contiguous tensor on the CPU")
        if code[0] != "*" or not _may_point(TORCH_CODES[arg.dtype], code[1:]):
            raise TypeError(f"{where} is a tensor of {arg.dtype}, but the parameter is {code}")
    elif not isinstance(arg, np.generic) or f"{arg.dtype.kind}{arg.itemsize}" != code:
        found = arg.dtype if isinstance(arg, np.generic) else type(arg)
        raise TypeError(f"{where} is {found}, but the parameter is {code}")


def _may_point(tensor: str, parameter: str) -> bool:
    """Whether a pointer may mean such a tensor: bytes may hold anything, integers either sign."""
    if tensor == "u1" or parameter in {"struct", "void"}:
        return True
    same_family = (tensor[0] == "f") == (parameter[0] == "f")
    return same_family and tensor[1:] == parameter[1:]


def _dim(kind: str, dim: Dim) -> Dim:
    full = (*dim, 1, 1)[:3]
    inside = all(1 <= n <= most for n, most in zip(full, LIMITS[kind], strict=True))
    if len(dim) > 3 or not inside or (kind == "block" and np.prod(full) > THREADS_PER_BLOCK):
        raise ValueError(f"no GPU launches a {kind} of {dim}; the most is {LIMITS[kind]}")
    return full


def _build(unit: str) -> Path:
    """The library of a translation unit, from this user's folder of them, or compiled into it."""
    gxx = compiler()
    assert gxx is not None, "the tests of kernels need g++ on Linux"
    parts = [unit, *OPTIONS, *((FOLDER / name).read_text("utf-8") for name in SHIM)]
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]
    library = _library_folder() / f"{digest}.so"
    if not library.exists():
        with tempfile.TemporaryDirectory(dir=library.parent) as folder:
            fresh = Path(folder) / library.name
            shim = ["-I", str(FOLDER), "-include", SHIM[-1]]
            command = [gxx, *OPTIONS, *shim, "-x", "c++", "-", "-o", str(fresh)]
            built = subprocess.run(command, input=unit, text=True, capture_output=True, check=False)
            if built.returncode:
                raise RuntimeError(f"g++ does not compile the kernels:\n{built.stderr}")
            fresh.rename(library)  # atomic: parallel builds of one unit do not meet
    return library


def _library_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"mammostream-kernels-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.stat()
    # Whoever can write there runs code in our name.
    assert found.st_uid == os.getuid(), f"{folder} belongs to another user; remove it"
    assert found.st_mode & 0o077 == 0, f"{folder} is open to other users; remove it"
    return folder
