"""The pictures of one batch, and the proof of those that the GPU made of lossless JPEGs."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from dali_pipelines.codestream.bit_budget import Budget
from dali_pipelines.decoder import Decoded
from dali_pipelines.gpu.intake import Frame
from dali_pipelines.gpu.proof import Proof, prove
from dali_pipelines.stages import Pixels
from dali_pipelines.stored_values import spread_shift


@dataclass(slots=True)
class DecodedBatch:
    """One batch: by place its Pixels, or why there are none; None where nothing was.

    Pictures of the GPU are tensors there, those of the CPU are NumPy arrays here.
    """

    pixels: list[Decoded]
    _proof: Proof | None
    _proved: list[int]

    def doubtful(self) -> list[int]:
        """Places of the lossless JPEGs that are to be resolved; waits for the GPU."""
        if self._proof is None:
            return []
        doubts = self._proof.doubtful()
        return [place for place, doubt in zip(self._proved, doubts, strict=True) if doubt]


def with_proof(pixels: list[Decoded], frames: Sequence[Frame]) -> DecodedBatch:
    """The batch, with the proof of those lossless JPEGs whose pictures are the GPU's, queued."""
    images, budgets, streams, places = [], [], [], []
    for frame in frames:
        found, stream = pixels[frame.place], frame.item.record.stream
        budget = frame.budget.result() if frame.budget else None
        if not isinstance(found, Pixels) or not isinstance(budget, Budget):
            continue
        if isinstance(found.values, torch.Tensor):
            images.append(Pixels(found.values, spread_shift(stream)))
            budgets.append(budget)
            streams.append(stream)
            places.append(frame.place)
    return DecodedBatch(pixels, prove(images, budgets, streams) if images else None, places)
