"""What gives batches to a pass: one for each block of images, and why it could not give some."""

from collections.abc import Callable, Iterator, Sequence
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


OpenSource = Callable[
    [Sequence[ImageRecord], Recipe, LoaderSettings, Device], AbstractContextManager[Source]
]


def gather_rejects(source: Source, world: World) -> list[Reject]:
    """What the sources of all ranks could not give so far, each once, in order of their inputs."""
    found = [reject for rejects in world.gather(source.rejects) for reject in rejects]
    every = {(r.path, r.member, r.image_id): r for r in found}  # a file may hold several images
    return [every[place] for place in sorted(every)]
