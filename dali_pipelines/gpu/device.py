"""The device of the GPU steps: memory by torch, kernels compiled by CuPy, one stream for both.

All work goes to torch's current stream, and all memory comes from torch's caching allocator, which
hands it on in the order of that stream: nothing here waits for the device. Tests put a device of
their own in place, which runs the same kernels on the CPU (`use_device`).
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib import resources
from typing import Any, Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from dali_pipelines.errors import DeviceError

Dim = tuple[int, ...]
Argument = torch.Tensor | np.generic  # the address of a tensor's memory, or a scalar of that type

_INCLUDE: Final = re.compile(r'^#include "([a-z_]+\.cuh)"$', re.MULTILINE)

OPTIONS: Final = ("--std=c++17", "--fmad=false")  # no fused multiply-add: the bits of the CPU twins


class GpuDevice(Protocol):
    """Where tensors live and kernels run."""

    @property
    def torch_device(self) -> torch.device:
        """Where the steps allocate."""

    def launch(
        self, source: str, kernel: str, grid: Dim, block: Dim, args: Sequence[Argument]
    ) -> None:
        """Queue `kernel` of `kernels/<source>.cu` on torch's current stream."""


class CudaDevice:
    """One NVIDIA GPU. Raises DeviceError without one, or without CuPy."""

    def __init__(self, index: int) -> None:
        if not torch.cuda.is_available():
            raise DeviceError("images cannot be prepared on the GPU: torch finds none; use the cpu")
        try:
            import cupy  # noqa: PLC0415 - there only with the gpu extra
        except ImportError as error:
            raise DeviceError(
                "images cannot be prepared on the GPU: CuPy is not installed; install the package "
                "with its gpu extra, or use the cpu"
            ) from error
        self._cupy = cupy
        self._functions: dict[tuple[str, str], Any] = {}
        self.torch_device = torch.device("cuda", index)

    def launch(
        self, source: str, kernel: str, grid: Dim, block: Dim, args: Sequence[Argument]
    ) -> None:
        """Queue `kernel` of `kernels/<source>.cu` on torch's current stream.

        Raises DeviceError where CUDA reports an error, which may be that of earlier work.
        """
        cuda = self._cupy.cuda
        torch_stream = torch.cuda.current_stream(self.torch_device)
        stream = cuda.Stream.from_external(_TorchStream(torch_stream))
        plain = tuple(
            np.uint64(arg.data_ptr()) if isinstance(arg, torch.Tensor) else arg for arg in args
        )
        errors = cuda.driver.CUDADriverError, cuda.runtime.CUDARuntimeError
        try:
            with cuda.Device(self.torch_device.index), stream:
                self._function(source, kernel)(grid, block, plain)
        except (*errors, cuda.compiler.CompileException) as error:
            raise DeviceError(f"the GPU failed at kernel {kernel!r}: {error}") from error

    def _function(self, source: str, kernel: str) -> Any:
        if (source, kernel) not in self._functions:
            module = self._cupy.RawModule(code=read_source(source), options=OPTIONS)
            self._functions[source, kernel] = module.get_function(kernel)
        return self._functions[source, kernel]


class _TorchStream:
    """A stream of torch's as CuPy takes one: by the protocol `__cuda_stream__`, version 0."""

    def __init__(self, stream: torch.cuda.Stream) -> None:
        self._address: int = stream.cuda_stream

    def __cuda_stream__(self) -> tuple[int, int]:
        return 0, self._address


@cache
def read_source(name: str) -> str:
    """The text of `kernels/<name>.cu`, with the files that it includes in their places."""
    return _INCLUDE.sub(lambda line: _read(line[1]), _read(f"{name}.cu"))


def _read(name: str) -> str:
    file = resources.files("dali_pipelines.gpu") / "kernels" / name
    return file.read_text(encoding="utf-8")


_replacement: list[GpuDevice] = []


def current_device() -> GpuDevice:
    """The device that `use_device` put in place, else torch's current GPU; DeviceError without."""
    if _replacement:
        return _replacement[-1]
    return _cuda_device(torch.cuda.current_device() if torch.cuda.is_available() else 0)


@contextmanager
def use_device(device: GpuDevice) -> Iterator[None]:
    """Run the GPU steps of this process on another device."""
    _replacement.append(device)
    try:
        yield
    finally:
        _replacement.pop()


@cache
def _cuda_device(index: int) -> CudaDevice:
    return CudaDevice(index)


def upload(host: NDArray[Any]) -> torch.Tensor:
    """A copy of `host` on the device, as flat bytes; the host array may be changed at once."""
    flat = torch.from_numpy(np.ascontiguousarray(host).reshape(-1).view(np.uint8))
    device = current_device().torch_device
    if device.type == "cpu":
        return flat.clone()
    return flat.pin_memory().to(device, non_blocking=True)


def empty(shape: Dim, dtype: torch.dtype) -> torch.Tensor:
    """Memory on the device, with whatever it holds."""
    return torch.empty(shape, dtype=dtype, device=current_device().torch_device)


class Download:
    """Values on their way from the device to the host; `get` waits until they are there."""

    def __init__(self, values: torch.Tensor) -> None:
        self._event = None
        if values.device.type == "cpu":
            self._host = values.clone()
            return
        self._host = torch.empty(values.shape, dtype=values.dtype, pin_memory=True)
        self._host.copy_(values, non_blocking=True)
        self._event = torch.cuda.Event(blocking=True)  # type: ignore[no-untyped-call]
        self._event.record()

    def get(self) -> NDArray[Any]:
        """The values as they were on the device when the download was queued."""
        if self._event is not None:
            self._event.synchronize()
        return self._host.numpy()
