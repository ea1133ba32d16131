"""What the resize kernels make of images, and the comparison with the CPU's to the bit."""

import ctypes
import mmap
from dataclasses import replace

import numpy as np
import torch

from dali_pipelines.cpu.resize import resize as cpu_resize
from dali_pipelines.gpu.resize import resize
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.stages import Roi
from tests.dali_pipelines.gpu.real_device import on_device


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 65536, (height, width), np.uint16)


def frame(image: np.ndarray, mirror: bool = False) -> Roi:
    return Roi(0, image.shape[0], 0, image.shape[1], mirror)


def by_kernel(images: list, rois: list, settings: ResizeSettings) -> torch.Tensor:
    """What the kernel makes of them, in a slot that held NaN."""
    shape = (len(images), settings.channels, *settings.size)
    out = on_device(torch.full(shape, torch.nan, dtype=getattr(torch, settings.dtype)))
    resize([on_device(image) for image in images], rois, settings, out)
    return out.cpu()


def by_cpu(images: list, rois: list, settings: ResizeSettings) -> np.ndarray:
    out = np.full((len(images), settings.channels, *settings.size), np.nan, np.float32)
    cpu_resize(images, rois, replace(settings, dtype="float32"), out)
    return out


def assert_equal_bits(images: list, rois: list, settings: ResizeSettings) -> None:
    expected = by_cpu(images, rois, settings)
    found = by_kernel(images, rois, settings).numpy()
    assert np.array_equal(found.view(np.uint32), expected.view(np.uint32))


def guarded_page() -> np.ndarray:
    """An image of zeros, one page of memory between two that end the process when they are read."""
    page = mmap.PAGESIZE
    pages = mmap.mmap(-1, 3 * page)
    start = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    for place in (start, start + 2 * page):
        assert ctypes.CDLL(None).mprotect(ctypes.c_void_p(place), page, 0) == 0  # no access
    return np.frombuffer(pages, np.uint16, page // 2, page).reshape(32, -1)
