"""Blocks of indices in, batches of tensors out: the whole way of the data, for all loaders.

Reader threads fetch codestreams ahead, a producer thread decodes and prepares ahead of the caller.
One bad file costs one slot of one batch: the slot is marked in `Batch.valid`, the reason becomes a
row of `rejects`, all else goes on.
"""

import logging
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from types import TracebackType
from typing import Any, Literal, Self

from dali_pipelines.in_flight import InFlight
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.plan import Blocks
from dali_pipelines.prefetch import run_ahead
from dali_pipelines.read_ahead import ReadAhead
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.rejects.rejections import Rejections
from dali_pipelines.stages import Batch
from dali_pipelines.steps import Device, choose_device, load_batches, load_finder
from dali_pipelines.verdicts import Reject

log = logging.getLogger("mammo.loader")


class Preparation:
    """`records` on their way to batches under each of `recipes`; a context manager.

    What `Loader` and `MultiLoader` are, but for what their `run` gives.
    """

    def __init__(
        self,
        records: Sequence[ImageRecord],
        recipes: Sequence[Recipe],
        settings: LoaderSettings | None,
        device: Literal["auto"] | Device,
    ) -> None:
        self.records = records
        self.device = choose_device(device)
        for recipe in recipes:
            load_finder(self.device, recipe.roi)  # what is missing shows before the first image
        self._settings = settings or LoaderSettings()
        self._rejections = Rejections(records)
        self._batches = load_batches(self.device)(
            records, recipes, self._settings, self._rejections
        )
        self._read_ahead = ReadAhead(records, self._settings)
        self._run: Iterator[object] = iter(())
        self._in_flight: InFlight | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
        if self._in_flight is not None:
            self._in_flight.settle(error)

    def close(self) -> None:
        """End the threads and the decoders, and say what was decoded where; ends an open run.

        Decoder processes are not waited for: one may be at a codestream that it never finishes.
        """
        self._batches.stop()
        if isinstance(self._run, Generator):
            self._run.close()
        if self.counts:
            by_decoder = (f"{count:,} {name}" for name, count in sorted(self.counts.items()))
            log.info("decoded: %s", ", ".join(by_decoder))
        self._read_ahead.close()
        self._batches.close()

    @property
    def rejects_by_id(self) -> dict[str, Reject]:
        """Why records gave no image, by image_id."""
        return self._rejections.by_id

    @property
    def rejects(self) -> list[Reject]:
        """Why records gave no image, in the order of their image_id."""
        return self._rejections.rows

    @property
    def counts(self) -> dict[str, int]:
        """Images by decoder and kind of codestream, such as {"dali j2k": 96}."""
        return dict(self._batches.counts)

    def note_in_flight(self, in_flight: InFlight) -> None:
        """Note what is on the GPU, and keep off it what is in doubt, in every run from now on.

        A process that dies leaves the note; without a GPU there is none.
        """
        if self.device == "gpu":
            self._in_flight = in_flight

    def _prepare(self, blocks: Blocks) -> Iterator[tuple[Batch, ...]]:
        """The batches of each row of `blocks` (B, N), one a recipe, in order."""
        lent: Iterator[tuple[Batch, ...]] = self._batches.lend(
            run_ahead(self._build(blocks), self._settings.prefetch)
        )
        return lent

    def _build(self, blocks: Blocks) -> Generator[Any, None, None]:
        """What the device's `Batches.build` gives, and its `lend` takes."""
        with closing(self._read_ahead.groups(blocks)) as groups:
            if self._in_flight is None:
                yield from self._batches.build(groups)
            else:
                yield from self._in_flight.follow(groups, self._batches.build)
