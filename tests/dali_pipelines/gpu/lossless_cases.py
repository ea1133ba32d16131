"""Lossless JPEGs as the proof sees them: what a GPU decoder made of a stream, and its budget."""

from dataclasses import dataclass

import imagecodecs
import numpy as np

from dali_pipelines.codestream.bit_budget import Budget, read_budget
from dali_pipelines.codestream.stream import read_stream_info
from dali_pipelines.phantom.lossless_jpeg import LosslessJpeg, encode_lossless
from dali_pipelines.records import StreamInfo
from dali_pipelines.stages import Pixels
from tests.dali_pipelines.gpu.real_device import on_device


@dataclass(frozen=True)
class Case:
    """One image with the budget of the stream that it is said to come from."""

    image: np.ndarray
    budget: Budget
    info: StreamInfo

    @property
    def pixels(self):
        """As a GPU decoder gives them: spread over 16 bits, round(v * 65535 / (2^p - 1))."""
        spread = np.rint(self.image * (65535 / ((1 << self.info.precision) - 1)))
        return Pixels(on_device(spread.astype(np.uint16)), 16 - self.info.precision)


def case_of(stream, image=None):
    info = read_stream_info(stream)
    decoded = imagecodecs.jpeg8_decode(stream) if image is None else image
    return Case(decoded.astype(np.uint16), read_budget(memoryview(stream), info), info)


def encoded(image, precision=12, **how):
    return case_of(encode_lossless(image, LosslessJpeg(precision, **how)), image)


def noise(shape, precision=12, seed=0):
    values = np.random.default_rng(seed).integers(0, 1 << precision, shape)
    return values.astype(np.uint16)


def drift(shape, seed=3):
    steps = np.random.default_rng(seed).integers(-9, 10, shape)
    return np.clip(np.cumsum(steps, axis=1) + 2000, 0, 4095).astype(np.uint16)
