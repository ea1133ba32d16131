"""The decoders of a GPU: DALI's alone, and ours around it with all of its checks."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch

from dali_pipelines.decoder import Decoded, Decoder
from dali_pipelines.gpu.decoder import GpuDecoder
from dali_pipelines.graph import DaliDecoder
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.stages import Encoded, Pixels

_THREADS = 8


def new_dali(batch: int, threads: int = _THREADS) -> DaliDecoder:
    """DALI's mixed decoder on torch's current GPU."""
    return DaliDecoder(batch, threads, "mixed", torch.cuda.current_device())


@contextmanager
def open_decoder() -> Iterator[GpuDecoder]:
    """Our decoder, as a loader would have it."""
    settings, recipe = LoaderSettings(threads=_THREADS), Recipe("report")
    with ThreadPoolExecutor(_THREADS) as pool:
        decoder = GpuDecoder(Decoder(settings, recipe, pool), settings, recipe)
        try:
            yield decoder
        finally:
            decoder.close()


def decode_proved(decoder: GpuDecoder, batch: Sequence[Encoded]) -> list[Decoded]:
    """What comes of a batch once its doubts are resolved."""
    decoder.submit(batch)
    decoded = decoder.receive()
    for place in decoded.doubtful():
        decoded.pixels[place] = decoder.resolve(batch[place])
    return decoded.pixels


def stored_values(pixels: Pixels) -> np.ndarray:
    """The stored values (H, W), on the host."""
    values = pixels.values
    host = values.cpu().numpy() if isinstance(values, torch.Tensor) else values
    return host >> np.uint16(pixels.shift)


def moved(decoder: GpuDecoder) -> list[str]:
    """The classes of codestreams that the CPU had to take over."""
    start = "moved to the cpu: "
    return sorted(n.removeprefix(start) for n in decoder.counts if n.startswith(start))
