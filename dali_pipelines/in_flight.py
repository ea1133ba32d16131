"""Which images are on a GPU, in a file that outlives this process.

A CUDA error ends a process and does not say whose image it was. So the ids of all that are on the
way are on file before the GPU sees them, and a process that takes over keeps it from them: the CPU
decodes those to the same bits. The file is to survive the process, not the machine, so nothing
waits for the disk.
"""

from collections import deque
from collections.abc import Callable, Collection, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from dali_pipelines.errors import DeviceError, MammoError
from dali_pipelines.read_ahead import ReadBlock
from dali_pipelines.stages import Encoded

T = TypeVar("T")


class InFlight:
    """Notes in `path`, a line each, the image_ids of groups that are on their way.

    Images in `doubted` are marked for the CPU.
    """

    def __init__(self, path: Path, doubted: Collection[str] = ()) -> None:
        self.doubted = frozenset(doubted)
        self._path = path
        self._groups: deque[tuple[int, list[str]]] = deque()  # batches to come, and ids

    def follow(
        self,
        groups: Iterable[list[ReadBlock]],
        build: Callable[[Iterable[list[ReadBlock]]], Generator[T, None, None]],
    ) -> Iterator[T]:
        """What `build` makes of the groups, one a block; a group is noted until all of it is made.

        Where an error ends this, the note stays.
        """
        self._groups.clear()  # of a run that was left early
        with closing(build(self._noted(groups))) as made:
            for item in made:
                self._count_off()
                yield item

    def settle(self, error: BaseException | None) -> None:
        """Remove the note, unless the run ended by what may be an error of the GPU."""
        said = isinstance(error, MammoError) and not isinstance(error, DeviceError)
        if error is None or said or isinstance(error, KeyboardInterrupt | SystemExit):
            self._path.unlink(missing_ok=True)

    def _noted(self, groups: Iterable[list[ReadBlock]]) -> Iterator[list[ReadBlock]]:
        for group in groups:
            marked = [self._marked(block) for block in group]
            items = [item for block in marked for item in block.encoded]
            sent = [i for i in items if isinstance(i, Encoded) and not i.on_cpu]
            self._groups.append((len(group), [item.record.image_id for item in sent]))
            self._write()
            yield marked

    def _marked(self, block: ReadBlock) -> ReadBlock:
        """The block, of which images in doubt are for the CPU."""
        items = [
            replace(item, on_cpu=True)
            if isinstance(item, Encoded) and item.record.image_id in self.doubted
            else item
            for item in block.encoded
        ]
        return replace(block, encoded=items)

    def _count_off(self) -> None:
        left, ids = self._groups.popleft()
        if left > 1:
            self._groups.appendleft((left - 1, ids))

    def _write(self) -> None:
        """Replace the file in one go: a process that dies in between leaves the old one."""
        self._path.parent.mkdir(exist_ok=True)
        aside = self._path.with_suffix(".new")
        ids = [image_id for _, group in self._groups for image_id in group]
        aside.write_text("".join(f"{image_id}\n" for image_id in ids), encoding="ascii")
        aside.replace(self._path)


def read_ids(folder: Path) -> set[str]:
    """The ids in all notes of a folder; none where there is no such folder."""
    return {line for path in folder.glob("*.txt") for line in path.read_text("ascii").split()}
