"""What a tutorial does: a torch Dataset over pydicom, and a DataLoader with a worker a core.

pydicom -> VOI of the header -> min-max -> float32 -> the recipe's size by areas, stretched ->
batch. No crop. The workers live from pass to pass (persistent_workers).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
import torch
from pydicom.pixels.processing import apply_voi_lut
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from benchmarks.job import Job
from benchmarks.peers.pydicom_values import invert_if_inverse, read_values

LIBRARIES: Final = ("torch",)
OUTPUT: Final = "batches of float32 at the recipe's size"


@contextmanager
def open_pass(job: Job) -> Iterator[Callable[[], None]]:
    """A pass over the job's files, batch by batch, to the job's device."""
    paths = [record.location.path for record in job.records]
    loader = DataLoader(
        DicomFiles(paths, job.recipe.size),
        batch_size=job.batch,
        num_workers=job.threads,
        persistent_workers=True,
        pin_memory=job.device == "gpu",
    )

    def run() -> None:
        for images in loader:
            images.to(job.torch_device, non_blocking=True)
        job.finish()

    yield run


class DicomFiles(Dataset[torch.Tensor]):
    """Each file as (1, H, W) float32 in 0 ... 1."""

    def __init__(self, paths: list[str], size: tuple[int, int]) -> None:
        self._paths = paths
        self._size = size

    def __len__(self) -> int:
        return len(self._paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        values, dataset = read_values(self._paths[index])
        display = invert_if_inverse(apply_voi_lut(values, dataset), dataset).astype(np.float32)
        scaled = torch.from_numpy((display - display.min()) / np.ptp(display))
        return functional.interpolate(scaled[None, None], self._size, mode="area")[0]
