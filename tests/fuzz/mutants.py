"""Mutant K of a seed: the same bytes wherever and whenever it is made."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Literal

from tests.fuzz import mutate_codestream, mutate_container, mutate_header
from tests.fuzz.corpus import Seed
from tests.fuzz.parts import Parts, take_apart

FrameChoice = Literal["error", "first", "middle", "all", "mip"]
FRAMES: tuple[FrameChoice, ...] = ("first", "middle", "all", "mip")
SHORTENED = {mutator.__name__ for mutator in mutate_codestream.SHORTENING}


@dataclass(frozen=True)
class Mutant:
    """A damaged file. `steps` says what was done; `zipped`: it is a zip file around the image.

    `frames` is how it is to be read.
    """

    index: int
    seed: Seed
    steps: tuple[str, ...]
    data: bytes
    zipped: bool = False
    frames: FrameChoice = "error"

    @property
    def shortened(self) -> bool:
        """Whether nothing was done but to cut a codestream that can tell that it was cut."""
        return self.seed.proven and len(self.steps) == 1 and self.steps[0] in SHORTENED


def make_mutant(corpus: Sequence[Seed], seed: int, index: int) -> Mutant:
    """Mutant `index` of the run `seed`: one file of the corpus, changed in one to three steps."""
    dice = Random(f"{seed}/{index}")
    chosen = dice.choice(corpus)
    often: list[FrameChoice] = ["error"] * (12 if chosen.frames == 1 else 0)
    return replace(_mutant(corpus, index, chosen, dice), frames=dice.choice([*often, *FRAMES]))


def _mutant(corpus: Sequence[Seed], index: int, chosen: Seed, dice: Random) -> Mutant:
    steps: list[str] = []
    way = dice.random()
    if way < 0.08:
        name, data = mutate_container.mutate_file(chosen.data, dice, [s.data for s in corpus])
        return Mutant(index, chosen, (name,), data)
    parts = take_apart(chosen.data)
    for _ in range(dice.choice([1, 1, 1, 2, 3])):
        steps.append(_change(parts, dice, corpus, way))
        way = dice.uniform(0.08, 1)
    data = parts.encode()
    if data and dice.random() < 0.06:
        name, data = mutate_container.mutate_zip(data, dice)
        return Mutant(index, chosen, (*steps, name), data, zipped=True)
    return Mutant(index, chosen, tuple(steps), data)


def _change(parts: Parts, dice: Random, corpus: Sequence[Seed], way: float) -> str:
    """Do one thing to the parts; its name."""
    if way < 0.40:
        mutator = dice.choice(mutate_header.MUTATORS)
        mutator(parts, dice)
        return mutator.__name__
    if way < 0.55:
        return mutate_container.mutate(parts, dice)
    return mutate_codestream.mutate(parts, dice, [take_apart(dice.choice(corpus).data)])
