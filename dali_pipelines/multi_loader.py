"""Blocks of indices in, for each of several recipes a batch out, of files that are read once.

`preparation.py` has the way from one to the other, `pictures.py` what is decoded once.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.plan import Blocks
from dali_pipelines.preparation import Preparation
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.stages import Batch
from dali_pipelines.steps import Device


class MultiLoader(Preparation):
    """Prepared batches of `records` under several recipes at once; a context manager.

    All batches of a block are bit for bit those of a `Loader` for each recipe, but that an image
    which one recipe cannot prepare is valid in none; its Reject is that of the first such recipe.
    Each file is read once, and decoded once for all recipes but those that leave out another number
    of wavelet levels. Boxes by hand are of the records, so all recipes get them.

    A worker holds one decoded image at a time and prepares it under one recipe after the other, so
    more recipes cost the memory of their batches only: for each recipe as many as a Loader has. On
    a GPU the decoded images of a block are there once for all. Arguments and errors as `Loader`;
    ValueError without a recipe.
    """

    def __init__(
        self,
        records: Sequence[ImageRecord],
        recipes: Sequence[Recipe],
        settings: LoaderSettings | None = None,
        device: Literal["auto"] | Device = "auto",
    ) -> None:
        if not recipes:
            raise ValueError("wanted at least one recipe")
        self.recipes = tuple(recipes)
        super().__init__(records, self.recipes, settings, device)

    def run(self, blocks: Blocks) -> Iterator[tuple[Batch, ...]]:
        """For each row of `blocks` (B, N), in order, a batch of each recipe, in their order.

        It may be left early. One at a time.
        """
        self._run = run = self._prepare(blocks)
        return run
