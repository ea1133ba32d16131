"""What shows its progress on stderr: the passes of a loader, and the reading of inputs."""

import itertools
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from cli.progress import progress

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dali_pipelines.in_flight import InFlight
    from dali_pipelines.loader import Loader
    from dali_pipelines.loader_settings import LoaderSettings
    from dali_pipelines.multi_loader import MultiLoader
    from dali_pipelines.plan import Blocks
    from dali_pipelines.recipe import Recipe
    from dali_pipelines.records import ImageRecord
    from dali_pipelines.review import Review
    from dali_pipelines.shards.shard_loader import ShardLoader
    from dali_pipelines.shards.shard_set import ShardSet
    from dali_pipelines.stages import Batch
    from dali_pipelines.verdicts import Reject
    from trainer.distributed import Device
    from trainer.prediction.inputs import Inputs

Phases = tuple[str, ...]  # what the passes are called, in turn
_Given = TypeVar("_Given")

log = logging.getLogger("mammo.boxes")

PREDICT: Final[Phases] = ("predict",)
TRAIN: Final[Phases] = ("train", "validate")


class _Watch:
    """Counts what passes through on stderr, and remembers in which images no breast was found."""

    def __init__(self, loader: "Loader | MultiLoader | ShardLoader", phases: Phases) -> None:
        self._loader = loader
        self._phases = itertools.cycle(phases)
        self._seen: set[int] = set()  # indices, for an image passes once an epoch
        self._whole: set[int] = set()

    @property
    def rejects(self) -> "list[Reject]":
        """Those of the loader."""
        return self._loader.rejects

    @property
    def rejects_by_id(self) -> "dict[str, Reject]":
        """Those of the loader."""
        return self._loader.rejects_by_id

    def note_in_flight(self, in_flight: "InFlight") -> None:
        """As that of a loader; shards need no GPU."""
        from dali_pipelines.shards.shard_loader import ShardLoader

        if not isinstance(self._loader, ShardLoader):
            self._loader.note_in_flight(in_flight)

    def _follow(
        self, blocks: "Blocks", given: Iterator[_Given], shown: "Callable[[_Given], Batch]"
    ) -> Iterator[_Given]:
        """What is given, one bar for all of it, named by the phase; `shown` is what to look at."""
        with progress(int((blocks >= 0).sum()), next(self._phases)) as bar:
            for item in given:
                batch = shown(item)
                self._note(batch)
                yield item
                rejected = len(self._loader.rejects_by_id)
                bar.update(
                    int((batch.indices >= 0).sum()), **({"rejected": rejected} if rejected else {})
                )

    def warn_of_whole_frames(self) -> None:
        """Say of how many images the whole frame was taken for want of a breast, if of any."""
        if self._whole:
            log.warning(
                "no breast was found in %s of %s images; the whole frame was taken (mammo preview "
                "shows them)",
                f"{len(self._whole):,}",
                f"{len(self._seen):,}",
            )

    def _note(self, batch: "Batch") -> None:
        for index, roi in zip(batch.indices.tolist(), batch.rois, strict=True):
            if roi is not None:
                self._seen.add(index)
                if not roi.found:
                    self._whole.add(index)


class Watched(_Watch):
    """A `trainer.source.Source`, watched."""

    def __init__(self, loader: "Loader | ShardLoader", phases: Phases) -> None:
        super().__init__(loader, phases)
        self._run = loader.run

    def run(self, blocks: "Blocks") -> "Iterator[Batch]":
        """The loader's batches."""
        return self._follow(blocks, self._run(blocks), lambda batch: batch)


class WatchedTogether(_Watch):
    """A `trainer.source.MultiSource`, watched: of the batches of one block the one at `looks`."""

    def __init__(self, loader: "MultiLoader | ShardLoader", phases: Phases, looks: int = 0) -> None:
        super().__init__(loader, phases)
        self._run = loader.run
        self._looks = looks

    def run(self, blocks: "Blocks") -> "Iterator[tuple[Batch, ...]]":
        """For each block a batch a recipe."""
        together = (batch if isinstance(batch, tuple) else (batch,) for batch in self._run(blocks))
        return self._follow(blocks, together, lambda batches: batches[self._looks])


_Watching = TypeVar("_Watching", bound=_Watch)


@contextmanager
def open_watched(
    records: "Sequence[ImageRecord]",
    recipe: "Recipe",
    settings: "LoaderSettings",
    device: "Device",
    *,
    phases: Phases,
    review: "Review | None" = None,
    shards: "ShardSet | None" = None,
) -> "Iterator[Watched]":
    """A loader as `trainer` opens one, watched; of DICOM files, or of `shards` of this recipe.

    `review` has boxes by hand for some records; shards were cut by theirs. The end is a warning
    where no breast was found in some of the images.
    """
    from dali_pipelines.loader import Loader
    from dali_pipelines.review import reviewed
    from dali_pipelines.shards.shard_loader import ShardLoader

    if shards is not None:
        with ShardLoader(records, shards, settings) as from_shards:
            yield from _warned(Watched(from_shards, phases), shards.recipe)
        return
    with Loader(reviewed(records, review), recipe, settings, device) as loader:
        yield from _warned(Watched(loader, phases), recipe)


@contextmanager
def open_together(
    records: "Sequence[ImageRecord]",
    recipes: "Sequence[Recipe]",
    settings: "LoaderSettings",
    device: "Device",
    *,
    phases: Phases,
    review: "Review | None" = None,
    shards: "ShardSet | None" = None,
) -> "Iterator[WatchedTogether]":
    """As `open_watched`, of several recipes at once; `shards` go with their own alone."""
    from dali_pipelines.multi_loader import MultiLoader
    from dali_pipelines.review import reviewed
    from dali_pipelines.shards.shard_loader import ShardLoader

    if shards is not None:
        with ShardLoader(records, shards, settings) as from_shards:
            yield from _warned(WatchedTogether(from_shards, phases), shards.recipe)
        return
    looking = [place for place, recipe in enumerate(recipes) if recipe.roi.method != "none"]
    looks = looking[0] if looking else 0
    with MultiLoader(reviewed(records, review), recipes, settings, device) as loader:
        yield from _warned(WatchedTogether(loader, phases, looks), recipes[looks])


def _warned(watched: _Watching, recipe: "Recipe") -> Iterator[_Watching]:
    """The one, then its warning where the recipe looks for a breast."""
    yield watched
    if recipe.roi.method != "none":
        watched.warn_of_whole_frames()


def read_watched(
    sources: "Sequence[Path]", out: Path, fold: int | None, key_file: Path | None, **taken: Any
) -> "Inputs":
    """What `trainer.prediction.inputs.read_inputs` finds, watched; `taken` is for `ReadOptions`."""
    from dali_pipelines.dicom.read_options import ReadOptions
    from trainer.prediction.inputs import read_inputs

    watch = partial(progress, label="scan", unit="files")
    return read_inputs(sources, out, fold, key_file, watch, ReadOptions(**taken))
