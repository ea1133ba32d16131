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

from dali_pipelines.detector import load_detector
from dali_pipelines.errors import DeviceError
from dali_pipelines.frame_cut import cut_frame, from_file_px
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import GivenBox
from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.shading import ImageShading, Shading
from dali_pipelines.stages import Pixels, Roi

Device = Literal["cpu", "gpu"]

log = logging.getLogger("mammo.loader")


class WindowStep(Protocol):
    """Stored values to display values, (H, W) uint16 in 0 ... 65535."""

    def __call__(self, pixels: Sequence[Pixels], shadings: Sequence[Shading]) -> list[Any]:
        """One display image for each of `pixels`, through its own table, then stretched."""


class RoiStep(Protocol):
    """Display values to the box around the breast."""

    def __call__(
        self,
        displays: Sequence[Any],
        settings: RoiSettings,
        given: Sequence[GivenBox | None] = (),
    ) -> Sequence[Roi]:
        """One box for each image, those `given` by hand in the place of what is found."""


class MaskStep(Protocol):
    """Display values with what lies outside of a box's mask made black."""

    def __call__(self, displays: Sequence[Any], rois: Sequence[Roi]) -> Sequence[Any]:
        """One image for each; that of a box without a mask is the same, not a copy."""


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
    mask: MaskStep
    resize: ResizeStep

    def prepare(
        self,
        pixels: Sequence[Pixels],
        shadings: Sequence[ImageShading],
        recipe: Recipe,
        out: Any,
        given: Sequence[GivenBox | None] = (),
    ) -> Sequence[Roi]:
        """Fill `out` (N, C, H, W) with N prepared images; return what was cut out of each.

        `shadings` are those of `shading.image_shading`, one for each image, `given` the boxes of
        their records, () where none has one. The boxes that are returned are in px of the image
        without its edge (`frame_cut.to_file_px` brings them back).
        """
        shown, rois = self.show(pixels, shadings, recipe, given)
        self.resize(shown, rois, recipe.resize, out)
        return rois

    def show(
        self,
        pixels: Sequence[Pixels],
        shadings: Sequence[ImageShading],
        recipe: Recipe,
        given: Sequence[GivenBox | None] = (),
    ) -> tuple[Sequence[Any], Sequence[Roi]]:
        """As `find`, with what lies outside of a box's mask made black: all but the resize."""
        displays, rois = self.find(pixels, shadings, recipe, given)
        return self.mask(displays, rois), rois

    def find(
        self,
        pixels: Sequence[Pixels],
        shadings: Sequence[ImageShading],
        recipe: Recipe,
        given: Sequence[GivenBox | None] = (),
    ) -> tuple[list[Any], Sequence[Roi]]:
        """The display values of each image, without the edge that the recipe cuts, and its box."""
        boxes = [
            box and from_file_px(box, image.values.shape, image.reduce, recipe.decode)
            for image, box in zip(pixels, given or [None] * len(pixels), strict=True)
        ]
        inner = [cut_frame(image, recipe.decode) for image in pixels]
        views = [shading.display for shading in shadings]
        others = {k: shading.roi for k, shading in enumerate(shadings) if shading.roi is not None}
        shown = self.window([*inner, *(inner[k] for k in others)], [*views, *others.values()])
        displays, sources = shown[: len(inner)], shown[: len(inner)]
        for k, display in zip(others, shown[len(inner) :], strict=True):
            sources[k] = display
        return displays, self.roi(sources, recipe.roi, boxes)


def load_steps(device: Device) -> Steps:
    """The steps of one device. Raises DeviceError where that device has none."""
    return Steps(*(_part(device, name, name) for name in ("window", "roi", "mask", "resize")))


def load_finder(device: Device, settings: RoiSettings) -> None:
    """Load what the ROI step of that device would load at its first image.

    Raises DeviceError or ConfigError where the model of a detector cannot be had.
    """
    if settings.method != "none":
        _part(device, f"finders.{settings.module}", "find")
    if settings.method == "detector":
        load_detector(settings.detector)


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
