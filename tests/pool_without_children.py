"""A stand-in for DecodePool that decodes on the spot, where a test is not about children."""

import importlib

from dali_pipelines.isolation.isolated_decoder import CPU_DECODER
from dali_pipelines.recipe import Recipe
from dali_pipelines.stages import Encoded, Pixels


class PoolWithoutChildren:
    def __init__(
        self,
        _size: int,
        function: str = CPU_DECODER,
        timeout_s: float = 0,
        bytes_per_pixel: int = 0,
    ) -> None:
        module, name = function.split(":")
        self._decode = getattr(importlib.import_module(module), name)

    def decode(self, encoded: Encoded, recipe: Recipe) -> Pixels:
        pixels: Pixels = self._decode(encoded, recipe)
        return pixels

    def stop(self) -> None:
        pass

    def close(self) -> None:
        pass
