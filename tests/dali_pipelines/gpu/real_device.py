"""The GPU as tests want it: a list of what was launched, and arrays sent to wherever it is."""

from collections.abc import Sequence

import numpy as np
import torch

from dali_pipelines.gpu.device import Argument, CudaDevice, Dim, current_device


class RealDevice(CudaDevice):
    """A GPU that notes in `launched` what ran on it, as HostDevice does."""

    def __init__(self, index: int) -> None:
        super().__init__(index)
        self.launched: list[tuple[str, str]] = []

    def launch(
        self, source: str, kernel: str, grid: Dim, block: Dim, args: Sequence[Argument]
    ) -> None:
        """Queue a kernel; a tensor that lies elsewhere is refused before the GPU faults on it."""
        for arg in args:
            if isinstance(arg, torch.Tensor):
                assert arg.device == self.torch_device, f"an argument of {kernel} on {arg.device}"
                assert arg.is_contiguous()
        super().launch(source, kernel, grid, block, args)
        self.launched.append((source, kernel))


def on_device(values: "np.ndarray | torch.Tensor") -> torch.Tensor:
    """The values on the device in place; on the host the same memory."""
    return torch.as_tensor(values).to(current_device().torch_device)


def on_host(values: "np.ndarray | torch.Tensor") -> np.ndarray:
    """The values as an array, wherever they are."""
    return values.cpu().numpy() if isinstance(values, torch.Tensor) else values
