"""What gives batches to a pass: one for each block of images, and why it could not give some."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.plan import Blocks
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.stages import Batch
from dali_pipelines.verdicts import Reject
from trainer.distributed import Device, World


class Source(Protocol):
    """`dali_pipelines.loader.Loader` is the real one."""

    @property
    def rejects(self) -> list[Reject]:
        """One row for each record that gave no image so far."""

    def run(self, blocks: Blocks) -> Iterator[Batch]:
        """One batch for each row of `blocks` (B, N)."""


class MultiSource(Protocol):
    """`dali_pipelines.multi_loader.MultiLoader` is the real one: several recipes at once."""

    @property
    def rejects(self) -> list[Reject]:
        """One row for each record that gave no image so far."""

    @property
    def rejects_by_id(self) -> Mapping[str, Reject]:
        """The same by image_id."""

    def run(self, blocks: Blocks) -> Iterator[tuple[Batch, ...]]:
        """For each row of `blocks` (B, N) a batch a recipe, all of the same images."""


OpenSource = Callable[
    [Sequence[ImageRecord], Recipe, LoaderSettings, Device], AbstractContextManager[Source]
]
OpenMultiSource = Callable[
    [Sequence[ImageRecord], Sequence[Recipe], LoaderSettings, Device],
    AbstractContextManager[MultiSource],
]


def gather_rejects(source: Source, world: World) -> list[Reject]:
    """What the sources of all ranks could not give so far, each once, in order of their inputs."""
    found = [reject for rejects in world.gather(source.rejects) for reject in rejects]
    every = {(r.path, r.member, r.image_id): r for r in found}  # a file may hold several images
    return [every[place] for place in sorted(every)]


def count_decoded(source: Source, world: World) -> dict[str, int]:
    """Images by decoder and kind of codestream, on all ranks, such as {"dali j2k": 96}.

    They are of this process's life; {} for a source that decodes none, such as shards.
    """
    counts: Counter[str] = Counter()
    for found in world.gather(dict(getattr(source, "counts", {}))):
        counts.update(found)
    return dict(sorted(counts.items()))
