"""Blocks of indices in, batches of tensors out, under one recipe: one iterator for either device.

`preparation.py` has the way from one to the other, `multi_loader.py` goes it for several recipes.
"""

from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import Literal

from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.plan import Blocks
from dali_pipelines.preparation import Preparation
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.stages import Batch
from dali_pipelines.steps import Device


class Loader(Preparation):
    """Prepared batches of `records` under one recipe; a context manager.

    `device` is what decodes and prepares: "auto" takes the GPU if there is one that can, and says
    so. `rejects_by_id` fills up with one Reject for each record that gave no image, `counts` says
    how many images each decoder took. Raises DeviceError where the device cannot prepare images,
    ConfigError where the model of a detector is not there.
    """

    def __init__(
        self,
        records: Sequence[ImageRecord],
        recipe: Recipe,
        settings: LoaderSettings | None = None,
        device: Literal["auto"] | Device = "auto",
    ) -> None:
        self.recipe = recipe
        super().__init__(records, [recipe], settings, device)

    def run(self, blocks: Blocks) -> Iterator[Batch]:
        """One batch for each row of `blocks` (B, N), in order; may be left early. One at a time."""
        self._run = run = _only(self._prepare(blocks))
        return run


def _only(batches: Iterator[tuple[Batch, ...]]) -> Generator[Batch, None, None]:
    """The batches of the one recipe; what they come from ends when this is left."""
    assert isinstance(batches, Generator)
    with closing(batches):
        for (batch,) in batches:
            yield batch
