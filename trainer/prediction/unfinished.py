"""A prediction under way: what its ranks have scored so far, in a folder of its own beside OUT.

    about.json          the fingerprint of what is scored, and by what
    rows-<start>-<rank> a line a block as it was scored: CRC-32, then JSON
    in_flight/          ids of images on a GPU, and of those that may have made it fail

Working files: rejects among the rows name paths. Every start of every rank has a file of its own,
so nothing is added behind a line that a death cut short. The rows of a block are those of one run
to the last bit: a float64 and its shortest decimal text are the same number (IEEE 754-2019, 5.12).
"""

import json
import logging
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, Self

import numpy as np

from dali_pipelines.atomic import PRIVATE_MODE, alone_with, claim, replacing
from dali_pipelines.errors import ConfigError
from dali_pipelines.verdicts import Reason, Reject
from trainer.distributed import World
from trainer.prediction.member_scores import BlockScores
from trainer.run_folder import IN_FLIGHT

ABOUT: Final = "about.json"
_PRIVATE_FOLDER: Final = 0o700
_NEW: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC
_ROWS: Final = "rows-"
_DIGITS: Final = 8  # of a CRC-32

Resume = Literal["auto", "no"]

log = logging.getLogger("mammo.predict")


def unfinished_beside(out: Path) -> Path:
    """The folder of a prediction to `out`: "scores.csv" has "scores_unfinished"."""
    return out.with_name(f"{out.stem}_unfinished")


def remove_unfinished(folder: Path) -> None:
    """Remove the folder, once the tables that came of it are written; it may be gone.

    What else lies in it stays, and then it does. Where the same command was started anew meanwhile,
    all is that one's.
    """
    with claim(folder) as is_ours:
        if not is_ours:
            return
        _clear(folder)
        with suppress(OSError):
            (folder / IN_FLIGHT).rmdir()
        with suppress(OSError):
            folder.rmdir()


class Unfinished:
    """The rows of one rank; `done` are the blocks of all ranks before this start."""

    def __init__(self, path: Path | None, done: tuple[BlockScores, ...] = ()) -> None:
        self.done = done
        self._file = None if path is None else os.fdopen(os.open(path, _NEW, PRIVATE_MODE), "wb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, scores: BlockScores) -> None:
        """Keep the scores of a block: from here on they outlive this process."""
        if self._file is not None:
            self._file.write(_to_line(scores))
            self._file.flush()


@contextmanager
def take_up(
    folder: Path | None, fingerprint: str, world: World, resume: Resume
) -> Iterator[Unfinished]:
    """What is done of the prediction in `folder`, and where to keep more; all ranks call it.

    Without a folder nothing is kept. Raises ConfigError where another process is at it, or it holds
    scores of another fingerprint: hours may be in them, and a slip of the keyboard before these.
    """
    if folder is None:
        with Unfinished(None) as nothing:
            yield nothing
        return
    folder.mkdir(_PRIVATE_FOLDER, parents=True, exist_ok=True)
    with alone_with(folder) if world.is_main else nullcontext():
        found = _found(folder, fingerprint, resume) if world.is_main else None
        start, done = world.gather(found)[0]
        with Unfinished(folder / f"{_ROWS}{start}-{world.rank}", done) as unfinished:
            yield unfinished


def _found(folder: Path, fingerprint: str, resume: Resume) -> tuple[int, tuple[BlockScores, ...]]:
    """The number of this start, and the blocks that are done, in order."""
    files = sorted(folder.glob(f"{_ROWS}*"))
    blocks = {row.block: row for path in files for row in _rows(path)}
    if _noted(folder / ABOUT) != fingerprint or resume == "no":
        if blocks and resume != "no":
            raise ConfigError(
                f"{folder.name!r} beside OUT holds scores of other images, checkpoints or "
                f"settings, or of another kind of machine (blocks: {len(blocks):,}); give the "
                "command that they are of, choose another -O, or --resume no to score all again"
            )
        _clear(folder)
        with replacing(folder / ABOUT, PRIVATE_MODE) as aside:
            aside.write_text(json.dumps({"fingerprint": fingerprint}) + "\n", encoding="utf-8")
        return 0, ()
    if blocks:
        log.info("going on: %d blocks were scored before", len(blocks))
    starts = [int(path.name.removeprefix(_ROWS).partition("-")[0]) for path in files]
    return max(starts, default=0) + 1, tuple(blocks[number] for number in sorted(blocks))


def _clear(folder: Path) -> None:
    """Remove what a prediction keeps: the rows first, so that none is taken for another's."""
    for kept in (f"{_ROWS}*", f"{IN_FLIGHT}/*.txt", ABOUT, f".{ABOUT}.*.tmp"):
        for path in folder.glob(kept):
            path.unlink(missing_ok=True)


def _noted(about: Path) -> str | None:
    """The fingerprint in a file; None where there is none, or it cannot be read."""
    try:
        noted = json.loads(about.read_text("utf-8")).get("fingerprint")
    except (OSError, ValueError, AttributeError):
        return None
    return noted if isinstance(noted, str) else None


def _to_line(scores: BlockScores) -> bytes:
    rejects = [[r.path, r.member, r.image_id, r.stage, r.reason, r.detail] for r in scores.rejects]
    logits = scores.logits
    row = [scores.block, logits.shape[1], scores.indices.tolist(), logits.ravel().tolist(), rejects]
    text = json.dumps(row).encode("ascii")
    return b"%0*x %b\n" % (_DIGITS, zlib.crc32(text), text)


def _rows(path: Path) -> Iterator[BlockScores]:
    """The rows up to the first that is not whole."""
    for line in path.read_bytes().split(b"\n")[:-1]:
        digits, _, text = line.partition(b" ")
        if digits != b"%0*x" % (_DIGITS, zlib.crc32(text)):
            return
        yield _to_scores(json.loads(text))


def _to_scores(row: list[Any]) -> BlockScores:
    block, members, indices, logits, rejects = row
    return BlockScores(
        block,
        np.array(indices, dtype=np.int64),
        np.array(logits, dtype=np.float64).reshape(len(indices), members),
        tuple(
            Reject(path, member, name, stage, Reason(reason), detail)
            for path, member, name, stage, reason, detail in rejects
        ),
    )
