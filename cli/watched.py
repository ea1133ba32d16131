"""What shows its progress on stderr: the passes of a loader, and the reading of inputs."""

import itertools
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cli.progress import progress

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dali_pipelines.in_flight import InFlight
    from dali_pipelines.loader import Loader
    from dali_pipelines.loader_settings import LoaderSettings
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

log = logging.getLogger("mammo.boxes")

PREDICT: Final[Phases] = ("predict",)
TRAIN: Final[Phases] = ("train", "validate")


class Watched:
    """A `trainer.epoch.Source` that counts what passes through on stderr.

    It remembers in which images no breast was found.
    """

    def __init__(self, loader: "Loader | ShardLoader", phases: Phases) -> None:
        self._loader = loader
        self._phases = itertools.cycle(phases)
        self._seen: set[int] = set()  # indices, for an image passes once an epoch
        self._whole: set[int] = set()

    @property
    def rejects(self) -> "list[Reject]":
        """Those of the loader."""
        return self._loader.rejects

    def note_in_flight(self, in_flight: "InFlight") -> None:
        """As that of a loader; shards need no GPU."""
        from dali_pipelines.loader import Loader

        if isinstance(self._loader, Loader):
            self._loader.note_in_flight(in_flight)

    def run(self, blocks: "Blocks") -> "Iterator[Batch]":
        """The loader's batches; one bar for all of them, named by the phase."""
        with progress(int((blocks >= 0).sum()), next(self._phases)) as bar:
            for batch in self._loader.run(blocks):
                self._note(batch)
                yield batch
                rejected = len(self._loader.rejects)
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


def _warned(watched: Watched, recipe: "Recipe") -> Iterator[Watched]:
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
