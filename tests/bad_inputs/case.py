"""What one entry of the catalogue of bad inputs is."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from dali_pipelines.verdicts import Flag, Reason

Build = Callable[[Path], Path | list[Path]]
Expected = Reason | tuple[Flag, ...] | int


def nothing(_folder: Path) -> AbstractContextManager[object]:
    """No surroundings."""
    return nullcontext()


@dataclass(frozen=True)
class Case:
    """One bad input, or one command that meets one, and how it must end.

    `build` writes into an empty folder and returns the bad input or inputs; the folder's name goes
    into the UIDs, so that cases in folders of different names can be scanned together. `expected`
    is a Reason, or the flags of an image that is accepted all the same, or the exit code of
    `command`; `sentence` is a piece of the detail, or of what the command says.

    `count` inputs end so, each as `frames` images where it is accepted, and `images` more of what
    `build` wrote are sound. `row` is the number in the project's list of bad inputs (0: none).
    `options` go to ReadOptions. `decoded`: only the decoder can tell. `walked` happens between the
    walk, which lists the input, and the reading of it; `after` between the scan, which accepts it,
    and the loader, which gives the verdict. `during` surrounds walk and scan, or the command, to
    make the operating system fail. `command` gives the arguments of `mammo` for the folder, `left`
    the names in the folder's "out" at the end (None: not looked at).
    """

    name: str
    build: Build
    expected: Expected
    sentence: str = ""
    row: int = 0
    count: int = 1
    frames: int = 1
    images: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    walked: Callable[[Path], object] | None = None
    after: Callable[[Path], object] | None = None
    decoded: bool = False
    during: Callable[[Path], AbstractContextManager[object]] = nothing
    command: Callable[[Path], list[str]] | None = None
    left: tuple[str, ...] | None = None

    @property
    def loads(self) -> bool:
        """Whether the scan accepts the input and the loader finds the fault."""
        return self.after is not None or self.decoded
