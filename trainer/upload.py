"""Small tables of the host on a device, without waiting for it."""

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray


def upload(values: ArrayLike, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """`values` as a tensor of that dtype.

    A GPU reads them from pinned memory, when it comes to it.
    """
    table = torch.from_numpy(np.array(values)).to(dtype)
    if device.type == "cuda":
        table = table.pin_memory()
    return table.to(device, non_blocking=True)


def per_image(values: NDArray[np.float64], planes: torch.Tensor) -> torch.Tensor:
    """One float32 number for each of N planes, (N, 1, 1, 1) on their device."""
    return upload(values, torch.float32, planes.device)[:, None, None, None]
