"""How long each kernel takes, and what share of the memory's bandwidth it reaches."""

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch

from benchmarks.gpu.inputs import Inputs, Note
from benchmarks.gpu.step_inputs import Image, decode_images, to_device
from benchmarks.timing import round_off
from dali_pipelines.codestream.bit_budget import read_budget
from dali_pipelines.gpu.device import Argument, Dim, GpuDevice, current_device, use_device
from dali_pipelines.gpu.proof import prove
from dali_pipelines.pixel_settings import ResizeSettings, StretchSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.shading import image_shading
from dali_pipelines.stages import Pixels, Roi
from dali_pipelines.steps import load_steps

IMAGES: Final = 16  # together 436 MB: more than the caches of any GPU hold
_COPY_BYTES: Final = 1 << 30
_HEAD_START: Final = 40_000_000  # cycles, about 20 ms: the host queues a batch in less
_RECIPES: Final = (
    Recipe("default"),
    Recipe("bfloat16", resize=ResizeSettings(dtype="bfloat16")),
    Recipe("percentiles", stretch=StretchSettings("percentiles", 1, 99)),
    Recipe("min-max", stretch=StretchSettings("percentiles")),
)


class TimedDevice:
    """A device that puts an event before and after each launch on another device."""

    def __init__(self, device: GpuDevice) -> None:
        self._device = device
        self.torch_device = device.torch_device
        self._events: list[tuple[str, torch.cuda.Event, torch.cuda.Event]] = []

    def launch(
        self, source: str, kernel: str, grid: Dim, block: Dim, args: Sequence[Argument]
    ) -> None:
        """Queue the kernel between two events."""
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        start.record()
        self._device.launch(source, kernel, grid, block, args)
        end.record()
        self._events.append((kernel, start, end))

    def begin(self) -> None:
        """Keep the device busy while launches are queued, so that none of them waits for the host.

        Their time would else be the host's.
        """
        torch.cuda._sleep(_HEAD_START)  # type: ignore[no-untyped-call]

    def take_ms(self) -> dict[str, float]:
        """The time of each kernel since the last call; waits for the device."""
        torch.cuda.synchronize()
        found: dict[str, float] = defaultdict(float)
        for kernel, start, end in self._events:
            found[kernel] += start.elapsed_time(end)
        self._events.clear()
        return dict(found)


def measure(inputs: Inputs, note: Note) -> None:
    """`copy_gb_s`; for each recipe, and for the proof, time and share of it by kernel."""
    images = decode_images(inputs.records("jpeg_sv1", IMAGES))
    pixels = [to_device(image) for image in images]
    px = sum(image.pixels.values.shape[0] * image.pixels.values.shape[1] for image in images)
    copy_gb_s = measure_copy(inputs.repeats)
    note("copy_gb_s", round_off(copy_gb_s))
    device = TimedDevice(current_device())
    with use_device(device):
        for recipe in _RECIPES:
            rounds = [_prepare(device, images, pixels, recipe) for _ in range(inputs.repeats + 2)]
            moved = bytes_moved(px, rounds[-1][1], recipe, IMAGES)
            note(recipe.name, rows([ms for ms, _ in rounds[2:]], moved, copy_gb_s, IMAGES))
        rounds_ms = [_prove(device, images, pixels) for _ in range(inputs.repeats + 2)]
        note("proof", rows(rounds_ms[2:], {"count_bits": 2 * px}, copy_gb_s, IMAGES))


def rows(
    rounds_ms: Sequence[Mapping[str, float]],
    moved: Mapping[str, int],
    copy_gb_s: float,
    images: int,
) -> dict[str, Any]:
    """By kernel: microseconds an image, GB/s, share of a copy's; `all_us`: of all of them."""
    found: dict[str, Any] = {}
    total_us = 0.0
    for kernel in rounds_ms[0]:
        batch_ms = statistics.median(times[kernel] for times in rounds_ms)
        total_us += 1000 * batch_ms / images
        found[kernel] = {"us_per_image": round_off(1000 * batch_ms / images)}
        if kernel in moved:
            gb_s = moved[kernel] / 1e6 / batch_ms
            found[kernel] |= {"gb_s": round_off(gb_s), "share_of_copy": round_off(gb_s / copy_gb_s)}
    return found | {"all_us": round_off(total_us)}


def bytes_moved(px: int, box_px: int, recipe: Recipe, images: int) -> dict[str, int]:
    """What each kernel must read and write, as counted in the heads of the .cu files.

    `px` of all images and `box_px` of all boxes. Kernels on reduced images or on tables alone are
    bound by latency and left out.
    """
    height, width = recipe.size
    element = 4 if recipe.resize.dtype == "float32" else 2
    out = images * recipe.channels * height * width * element
    return {
        "window": 4 * px,
        "extremes": 2 * px,
        "histogram": 2 * px,
        "block_means": 2 * px,
        "resize": 2 * box_px + out,
    }


def measure_copy(repeats: int) -> float:
    """GB/s of a copy on the device, bytes read and bytes written."""
    device = current_device().torch_device
    source = torch.zeros(_COPY_BYTES, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    rates = []
    for _ in range(repeats + 3):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        start.record()
        target.copy_(source)
        end.record()
        torch.cuda.synchronize()
        rates.append(2 * _COPY_BYTES / 1e6 / float(start.elapsed_time(end)))
    return statistics.median(rates[2:])


def _prepare(
    device: TimedDevice, images: Sequence[Image], pixels: Sequence[Pixels], recipe: Recipe
) -> tuple[dict[str, float], int]:
    """The time of each kernel of one batch, and the px of its boxes."""
    shadings = [image_shading(image.record, recipe) for image in images]
    dtype: torch.dtype = getattr(torch, recipe.resize.dtype)
    shape = (len(images), recipe.channels, *recipe.size)
    out = torch.empty(shape, dtype=dtype, device=device.torch_device)
    device.begin()
    rois: Sequence[Roi] = load_steps("gpu").prepare(pixels, shadings, recipe, out)
    return device.take_ms(), sum(roi.height * roi.width for roi in rois)


def _prove(
    device: TimedDevice, images: Sequence[Image], pixels: Sequence[Pixels]
) -> dict[str, float]:
    streams = [image.record.stream for image in images]
    budgets = [read_budget(image.encoded.data.data, image.record.stream) for image in images]
    device.begin()
    prove(pixels, budgets, streams)
    return device.take_ms()
