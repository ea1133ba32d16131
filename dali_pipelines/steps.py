"""The seam between devices: what each step takes and gives, and where its two versions live.

`cpu/` is NumPy and the truth, `gpu/` is CuPy. Both work on lists of images of any size, because a
GPU wants one launch for many; the CPU versions are called with one image a thread.
"""

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.errors import DeviceError
from dali_pipelines.grayscale import display_table
from dali_pipelines.recipe import Recipe, ResizeSettings, RoiSettings, StretchSettings
from dali_pipelines.records import ImageRecord, Pixels, Roi

Device = Literal["cpu", "gpu"]


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
        """Fill `out` (N, C, H, W) float32."""


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of one device, in the order of the way of the data."""

    window: WindowStep
    roi: RoiStep
    resize: ResizeStep

    def prepare(
        self, pixels: Sequence[Pixels], records: Sequence[ImageRecord], recipe: Recipe, out: Any
    ) -> Sequence[Roi]:
        """Fill `out` (N, C, H, W) float32 with N prepared images; return what was cut out of each.

        Raises RejectError where a record's gray scale gives no table under the recipe.
        """
        tables = [display_table(record.grayscale, recipe.voi) for record in records]
        displays = self.window(pixels, tables, recipe.stretch)
        rois = self.roi(displays, recipe.roi)
        self.resize(displays, rois, recipe.resize, out)
        return rois


def load_steps(device: Device) -> Steps:
    """The steps of one device. Raises DeviceError where that device has none."""
    return Steps(*(_step(name, device) for name in ("window", "roi", "resize")))


def _step(name: str, device: Device) -> Any:
    try:
        return getattr(importlib.import_module(f"dali_pipelines.{device}.{name}"), name)
    except ModuleNotFoundError as error:
        raise DeviceError(
            f"images cannot be prepared on the {device}: the step '{name}' needs {error.name}, "
            "which is not installed; use the cpu"
        ) from error
