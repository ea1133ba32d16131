"""The seam between devices: what each step takes and gives, and where its two versions live.

`cpu/` is NumPy and the truth, `gpu/` launches CUDA kernels through CuPy. Both work on lists of
images of any size, because a GPU wants one launch for many; the CPU versions are called with one
image a thread.
"""

import importlib
import importlib.util
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.errors import DeviceError
from dali_pipelines.pixel_settings import ResizeSettings, StretchSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.stages import Pixels, Roi

Device = Literal["cpu", "gpu"]

log = logging.getLogger("mammo.loader")


class WindowStep(Protocol):
    """Stored values to display values, (H, W) uint16 in 0 ... 65535."""

    def __call__(
        self,
        pixels: Sequence[Pixels],
        tables: Sequence[NDArray[np.uint16]],
        settings: StretchSettings,
    ) -> list[Any]:
        """One display image for each of `pixels`, through its own table, then stretched."""


class RoiStep(Protocol):
    """Display values to the box around the breast."""

    def __call__(self, displays: Sequence[Any], settings: RoiSettings) -> Sequence[Roi]:
        """One box for each image."""


class ResizeStep(Protocol):
    """Display values and box to what the network sees."""

    def __call__(
        self, displays: Sequence[Any], rois: Sequence[Roi], settings: ResizeSettings, out: Any
    ) -> None:
        """Fill `out` (N, C, H, W) of the recipe's dtype; the CPU's is float32."""


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of one device, in the order of the way of the data."""

    window: WindowStep
    roi: RoiStep
    resize: ResizeStep

    def prepare(
        self,
        pixels: Sequence[Pixels],
        tables: Sequence[NDArray[np.uint16]],
        recipe: Recipe,
        out: Any,
    ) -> Sequence[Roi]:
        """Fill `out` (N, C, H, W) with N prepared images; return what was cut out of each.

        `tables` are those of `grayscale.display_table`, one for each image.
        """
        displays = self.window(pixels, tables, recipe.stretch)
        rois = self.roi(displays, recipe.roi)
        self.resize(displays, rois, recipe.resize, out)
        return rois


def load_steps(device: Device) -> Steps:
    """The steps of one device. Raises DeviceError where that device has none."""
    return Steps(*(_part(device, name, name) for name in ("window", "roi", "resize")))


def load_batches(device: Device) -> Any:
    """The class that makes a loader's batches on one device. Raises DeviceError without one."""
    return _part(device, "batches", "Batches")


def choose_device(wanted: Literal["auto"] | Device) -> Device:
    """The device that prepares images: the wanted one, or the GPU if all that it needs is here.

    Raises DeviceError where the GPU is wanted and cannot be had.
    """
    if wanted == "cpu":
        return "cpu"
    missing = _missing_for_gpu()
    if not missing:
        log.info("images are prepared on the gpu")
        return "gpu"
    if wanted == "gpu":
        raise DeviceError(f"images cannot be prepared on the gpu: {missing}; use --device cpu")
    log.info("images are prepared on the cpu: %s", missing)
    return "cpu"


def _missing_for_gpu() -> str:
    """Why images cannot be prepared on a GPU here, "" if they can."""
    import torch  # noqa: PLC0415 - 1 s to import

    if not torch.cuda.is_available():
        return "torch finds no GPU"
    if importlib.util.find_spec("cupy") is None:
        return "CuPy is not installed (it comes with the gpu extra)"
    return ""


def _part(device: Device, module: str, name: str) -> Any:
    try:
        return getattr(importlib.import_module(f"dali_pipelines.{device}.{module}"), name)
    except ModuleNotFoundError as error:
        raise DeviceError(
            f"images cannot be prepared on the {device}: '{module}' needs {error.name}, which is "
            "not installed; use the cpu"
        ) from error
