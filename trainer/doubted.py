"""Images that were on a GPU when a rank died: from then on the CPU decodes them.

RUN/in_flight/rank-0.txt has what is on the GPU of that rank while it runs, doubted.txt what was on
any when its process died, in all of the run.
"""

import logging
from pathlib import Path
from typing import Protocol, runtime_checkable

from dali_pipelines.atomic import replacing
from dali_pipelines.in_flight import InFlight, read_ids
from trainer.distributed import World
from trainer.run_folder import DOUBTED, IN_FLIGHT

log = logging.getLogger("mammo.train")


@runtime_checkable
class _Notes(Protocol):
    """A source that may decode on a GPU; `dali_pipelines.loader.Loader` is one."""

    def note_in_flight(self, in_flight: InFlight) -> None: ...


def note_in_flight(source: object, folder: Path, world: World) -> None:
    """Have the source of a run note what is on its GPU, and keep off it what is in doubt.

    What ranks that died have left is in doubt, and those that a run had in doubt before. All ranks
    call it, before any of them runs its source.
    """
    place = folder / IN_FLIGHT
    found = world.gather(read_ids(place))
    doubted = sorted(set().union(*found))
    if world.is_main and doubted:
        log.warning(
            "%d images were on their way through a GPU when a process died; the CPU decodes them",
            len(doubted),
        )
        with replacing(folder / DOUBTED) as aside:
            aside.write_text("".join(f"{image_id}\n" for image_id in doubted), encoding="ascii")
        for path in place.glob("rank-*.txt"):
            path.unlink()
    world.gather(None)  # no rank notes anything before
    if isinstance(source, _Notes):
        source.note_in_flight(InFlight(place / f"rank-{world.rank}.txt", doubted))
