"""The steps on the GPU against those on the CPU, on whole phantoms and under several recipes."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch

from benchmarks.gpu.inputs import Inputs, Note
from benchmarks.gpu.step_inputs import Image, decode_images, to_device
from dali_pipelines.pixel_settings import DecodeSettings, ResizeSettings, StretchSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.shading import image_shading
from dali_pipelines.steps import load_steps
from dali_pipelines.voi_settings import Voi

WHOLE: Final = RoiSettings(method="none", mirror="none")
RECIPES: Final = (
    Recipe("default"),
    Recipe("percentiles", stretch=StretchSettings("percentiles", 1, 99)),
    Recipe("min-max", stretch=StretchSettings("percentiles")),
    Recipe(
        "sigmoid",
        voi=Voi("stored"),
        stretch=StretchSettings("percentiles", curve="sigmoid", rounding="down", bits=8),
    ),
    Recipe("two pictures", decode=DecodeSettings(cut=5), roi=RoiSettings(source="min-max")),
    Recipe("square", resize=ResizeSettings((1024, 1024), "stretch", channels=3)),
    Recipe("center", resize=ResizeSettings((768, 768), align="center")),
    Recipe("whole frame", roi=WHOLE, resize=ResizeSettings((512, 512))),
    Recipe("bfloat16", resize=ResizeSettings(dtype="bfloat16")),
    Recipe("float16", resize=ResizeSettings(dtype="float16")),
    Recipe("linear", resize=ResizeSettings(fit="pad-first", filter="linear", bits=16)),
    Recipe("triangle", resize=ResizeSettings(fit="width", filter="triangle", bits=8)),
    Recipe("each spread", resize=ResizeSettings(per_image="min-max", per_image_bits=8, channels=3)),
    Recipe("standardized", resize=ResizeSettings((2944, 1920), "keep", per_image="standardize")),
)


def measure(inputs: Inputs, note: Note) -> None:
    """For each recipe: windowed values and boxes that differ, and how far apart the tensors are."""
    images = decode_images(inputs.records("jpeg_sv1", 2 if inputs.quick else 4))
    for recipe in RECIPES:
        note(recipe.name, compare(images, recipe))


def compare(images: Sequence[Image], recipe: Recipe) -> dict[str, Any]:
    """`apart`: the greatest difference of a value of the tensor, float32 or rounded to its type."""
    shadings = [image_shading(image.record, recipe) for image in images]
    by_device = {}
    for device in ("cpu", "gpu"):
        steps = load_steps(device)
        pixels = [image.pixels if device == "cpu" else to_device(image) for image in images]
        shown, rois = steps.find(pixels, shadings, recipe)
        displays = steps.mask(shown, rois)
        out = _room(recipe, displays[0], len(images))
        steps.resize(displays, rois, recipe.resize, out)
        by_device[device] = [_host(display) for display in displays], list(rois), _host(out)
    cpu, gpu = by_device["cpu"], by_device["gpu"]
    dtype: torch.dtype = getattr(torch, recipe.resize.dtype)
    rounded = torch.from_numpy(cpu[2]).to(dtype).float().numpy()
    return {
        "window_differs": sum(int((a != b).sum()) for a, b in zip(cpu[0], gpu[0], strict=True)),
        "boxes_differ": sum(a != b for a, b in zip(cpu[1], gpu[1], strict=True)),
        "apart": float(np.abs(rounded - gpu[2]).max()),
    }


def _room(recipe: Recipe, display: Any, count: int) -> Any:
    """Where the resize step writes: an array of float32, or a tensor of the recipe's type."""
    shape = (count, recipe.channels, *recipe.size)
    if isinstance(display, np.ndarray):
        return np.empty(shape, np.float32)
    dtype: torch.dtype = getattr(torch, recipe.resize.dtype)
    return torch.empty(shape, dtype=dtype, device=display.device)


def _host(values: Any) -> Any:
    if isinstance(values, np.ndarray):
        return values
    host = values.cpu()
    return (host.float() if host.is_floating_point() else host).numpy()
