"""Decoded images for the steps: as the CPU's decoders leave them, and as the GPU's would."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.decode import read_stream
from dali_pipelines.cores import core_count
from dali_pipelines.cpu.decode import decode
from dali_pipelines.gpu.device import current_device
from dali_pipelines.records import ImageRecord
from dali_pipelines.stages import Encoded, Pixels


@dataclass(frozen=True, slots=True)
class Image:
    """One image as the CPU decoded it, with its codestream."""

    encoded: Encoded
    pixels: Pixels

    @property
    def record(self) -> ImageRecord:
        """What the scan found."""
        return self.encoded.record


def decode_images(records: Sequence[ImageRecord]) -> list[Image]:
    """Each record's image, a thread a core."""
    with ThreadPoolExecutor(core_count()) as pool:
        return list(pool.map(_decode, records))


def to_device(image: Image) -> Pixels:
    """The image on the device, its stored value in the upper bits, new memory each time."""
    shift = 16 - image.record.stream.precision
    values = np.asarray(image.pixels.values) << np.uint16(shift)
    return Pixels(torch.from_numpy(values).to(current_device().torch_device), shift)


def _decode(record: ImageRecord) -> Image:
    encoded = read_stream(record)
    return Image(encoded, decode(encoded))
