"""The lives of one run between its deaths, and what its ranks were shown in them."""

import math
import signal
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.evidence.training_runs import Death, Study, exit_codes, finish, notes_of, start
from trainer.checkpoint import load_latest
from trainer.run_folder import LAST


@dataclass(frozen=True)
class Life:
    """Its ranks, what they noted, and the epoch and block that it went on from and left for."""

    ranks: int
    notes: Path
    begin: tuple[int, int]
    end: tuple[int, int]


class Undisturbed:
    """Runs that nothing disturbs, by their number of ranks, each made when it is asked for."""

    def __init__(self, study: Study) -> None:
        self._study = study
        self._lives: dict[int, Life] = {}

    def out(self, ranks: int) -> Path:
        """The run directory."""
        out = self._study.manifest.with_name(f"undisturbed-{ranks}")
        if ranks not in self._lives:
            notes = out.with_name(f"{out.name}-notes")
            finish(self._study, out, notes, ranks)
            self._lives[ranks] = Life(ranks, notes, (0, 0), cursor(out))
        return out

    def life(self, ranks: int) -> Life:
        """Its only one."""
        self.out(ranks)
        return self._lives[ranks]

    def batches(self, ranks: int) -> tuple[int, int]:
        """How many batches of an epoch each rank trains on, and how many it validates."""
        passes = Counter(number for number, _ in notes_of(self.life(ranks).notes, 0))
        return passes[0], passes[1]


def cursor(out: Path) -> tuple[int, int]:
    """The epoch and block that a run would go on from, both counted from 0."""
    found = load_latest((out / LAST).parent)  # the one before the last where death met a save
    return (found[1].epoch, found[1].blocks) if found else (0, 0)


def batches_behind(out: Path, of_epoch: int, ranks: int) -> int:
    """How many batches each rank has behind it there."""
    epoch, blocks = cursor(out)
    return epoch * of_epoch + math.ceil(blocks / ranks)


def die(study: Study, out: Path, ranks: int, victim: int, death: Death) -> Life:
    """A life that ends by that death of one rank, which the others notice and end with an error."""
    begin = cursor(out)
    notes = out.with_name(f"{out.name}-{victim}-of-{ranks}-{begin}-{death}")
    codes = exit_codes(start(study, out, notes, ranks, {victim: death}))
    assert codes.pop(victim) == -signal.SIGKILL, (begin, death)
    assert codes == [1] * (ranks - 1)
    return Life(ranks, notes, begin, cursor(out))


def learned(lives: Sequence[Life]) -> dict[tuple[int, int], list[str]]:
    """The images of each block, by epoch and block, that these lives of a run learned for good.

    What a life did after its last checkpoint does not count. Raises AssertionError where a block
    was learned twice.
    """
    found: dict[tuple[int, int], list[str]] = {}
    for life in lives:
        for rank in range(life.ranks):
            for place, ids in _shown(life, rank):
                if place < life.end and any(ids):
                    assert place not in found
                    found[place] = ids
    return dict(sorted(found.items()))


def _shown(life: Life, rank: int) -> list[tuple[tuple[int, int], list[str]]]:
    """What a rank trained on: epoch and block, and the images."""
    seen: Counter[int] = Counter()
    rows = []
    for number, ids in notes_of(life.notes, rank):
        if number % 2 == 0:
            first = life.begin[1] if number == 0 else 0
            block = first + seen[number] * life.ranks + rank
            rows.append(((life.begin[0] + number // 2, block), ids))
            seen[number] += 1
    return rows
