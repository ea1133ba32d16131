"""Mutants one after the other through one child, what they ended as, and what must hold of all.

A finding is an exception, a hang, a code E_UNEXPECTED, a picture that is not the file's, or memory
beyond its bound; a decoder that died, hung or ran out of memory is counted and told, but that is
what the child is for.
"""

import math
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from dali_pipelines.isolation.isolated_decoder import IsolatedDecoder
from dali_pipelines.storage.archive import Source
from tests.fuzz.corpus import Seed, build_corpus
from tests.fuzz.memory import peak_of_children, peak_of_this
from tests.fuzz.mutants import FRAMES, FrameChoice, Mutant, make_mutant
from tests.fuzz.trial import Outcome, sources_of, travel

CHILD_LIMIT_S = 10.0
BIG_ENDIAN = "1.2.840.10008.1.2.2"
GOOD_EVERY = 25  # mutants between two sound files that must come out as ever
MOST_BYTES = 1_500_000_000  # of this process and of the child: what a worker may take


@dataclass
class Tally:
    """What a run came to; `verdicts` counts each input (of a zip, each member) once.

    It is that of the scan that hashes.
    """

    seed: int
    count: int = 0
    seconds: float = 0.0
    verdicts: Counter[str] = field(default_factory=Counter)
    steps: Counter[str] = field(default_factory=Counter)
    good: int = 0
    findings: list[str] = field(default_factory=list)
    costly: list[str] = field(default_factory=list)
    peak_bytes: int = 0
    peak_child_bytes: int = 0

    def add(self, other: "Tally") -> None:
        """Take in what another job came to."""
        self.count, self.good = self.count + other.count, self.good + other.good
        self.seconds = max(self.seconds, other.seconds)
        self.verdicts += other.verdicts
        self.steps += other.steps
        self.findings += other.findings
        self.costly += other.costly
        self.peak_bytes = max(self.peak_bytes, other.peak_bytes)
        self.peak_child_bytes = max(self.peak_child_bytes, other.peak_child_bytes)

    def told(self, *, real: bool) -> str:
        """All of it as text; `real` files were mutated too."""
        lines = [
            f"{self.count} mutants, seed {self.seed}, of phantoms{' and real files' * real}",
            f"{self.seconds:.0f} s, {self.count / max(self.seconds, 1e-9):.1f} mutants/s a job",
            *(f"{count:8}  {code}" for code, count in self.verdicts.most_common()),
            f"{self.good} sound files in between, each compared",
            f"peak memory: {self.peak_bytes >> 20} MiB, child {self.peak_child_bytes >> 20} MiB",
        ]
        for title, found in (("cost a child", self.costly), ("findings", self.findings)):
            lines += [f"{title}: {len(found)}", *(f"  --seed {self.seed} {line}" for line in found)]
        return "\n".join(lines)


class Fuzzer:
    """Runs mutants of one seed; `close` ends the child and removes the files."""

    def __init__(self, seed: int, shared: Path | None) -> None:
        self.tally = Tally(seed)
        self._folder = Path(tempfile.mkdtemp(prefix="mammo-fuzz-"))
        self.corpus: Sequence[Seed] = build_corpus(self._folder, shared)
        self._decoder = IsolatedDecoder(timeout_s=CHILD_LIMIT_S)
        self._sound = {
            (seed.name, frames): self._travel(seed, frames)
            for seed in self.corpus
            for frames in (FRAMES if seed.frames > 1 else ("error",))
        }
        bad = [name for name, outcome in self._sound.items() if outcome.code != "image"]
        assert not bad, f"seeds that are not sound: {bad}"

    def __enter__(self) -> "Fuzzer":
        return self

    def __exit__(self, *_: object) -> None:
        self._decoder.close()
        shutil.rmtree(self._folder)

    def run(self, indices: Sequence[int] | range, go_on: Callable[[], bool]) -> Tally:
        """Mutants of these numbers, as long as `go_on` says so."""
        start = time.monotonic()
        for index in indices:
            if not go_on():
                break
            self.run_one(make_mutant(self.corpus, self.tally.seed, index))
            if index % GOOD_EVERY == 0:
                self._run_good(self.corpus[(index // GOOD_EVERY) % len(self.corpus)], index)
        self.tally.seconds = time.monotonic() - start
        self._bound_memory()
        return self.tally

    def run_one(self, mutant: Mutant) -> list[Outcome]:
        """All outcomes of one mutant, counted; each source by a scan that hashes and one not."""
        path = self._folder / "mutant"
        path.write_bytes(mutant.data)
        self.tally.count += 1
        self.tally.steps.update(mutant.steps)
        sources = sources_of(path, zipped=mutant.zipped)
        if isinstance(sources, str) or not sources:
            self.tally.verdicts[sources or "a zip of no members"] += 1
            return []
        outcomes = []
        for source in sources[:4]:
            pair = [
                travel(source, self._decoder, hashed=hashed, frames=mutant.frames)
                for hashed in (True, False)
            ]
            self.tally.verdicts[pair[0].code] += 1
            for outcome in pair:
                self._note(mutant, outcome)
            self._judge(mutant, *pair)
            outcomes += pair
        return outcomes

    def _note(self, mutant: Mutant, outcome: Outcome) -> None:
        told = f"--only {mutant.index}: {mutant.seed.name}, {' + '.join(mutant.steps)}"
        if outcome.finding:
            self.tally.findings.append(f"{told}: {outcome.finding}")
        if outcome.costly:
            self.tally.costly.append(f"{told}: {outcome.code}")

    def _judge(self, mutant: Mutant, hashed: Outcome, plain: Outcome) -> None:
        """What is true of pictures, whatever was done to the file."""
        sound = self._sound_of(mutant.seed, mutant.frames)
        wrong = ""
        if hashed.values is not None and not hashed.same_picture(plain):
            wrong = f"an image where the scan hashed, {plain.code} or another where it did not"
        elif _must_be_equal(hashed, sound) and not hashed.same_picture(sound):
            wrong = "the codestream is as it was and the picture is not"
        elif mutant.shortened and _is_another(plain, sound):
            wrong = "a picture from a codestream that was cut"
        if wrong:
            self._note(mutant, Outcome("wrong picture", finding=wrong))

    def _run_good(self, seed: Seed, index: int) -> None:
        frames = FRAMES[index % len(FRAMES)] if seed.frames > 1 else "error"
        outcome, sound = self._travel(seed, frames), self._sound_of(seed, frames)
        self.tally.good += 1
        if not (outcome.same_picture(sound) and _facts(outcome) == _facts(sound)):
            self.tally.findings.append(f"after {index}: {seed.name} came out as {outcome.code}")

    def _sound_of(self, seed: Seed, frames: FrameChoice) -> Outcome:
        """How the seed itself ends; of one frame it is the same whatever is asked for."""
        return self._sound[seed.name, frames if seed.frames > 1 else "error"]

    def _travel(self, seed: Seed, frames: FrameChoice) -> Outcome:
        path = self._folder / "sound"
        path.write_bytes(seed.data)
        return travel(Source(str(path)), self._decoder, hashed=True, frames=frames)

    def _bound_memory(self) -> None:
        self.tally.peak_bytes, self.tally.peak_child_bytes = peak_of_this(), peak_of_children()
        for who, peak in (
            ("parent", self.tally.peak_bytes),
            ("child", self.tally.peak_child_bytes),
        ):
            if peak > MOST_BYTES:
                self.tally.findings.append(f"the {who} took {peak >> 20} MiB")


def run_job(seed: int, indices: range, seconds: float, shared: Path | None) -> Tally:
    """The tally of these mutants, or of those that were made within the time."""
    end = time.monotonic() + seconds
    with Fuzzer(seed, shared) as fuzzer:
        return fuzzer.run(indices, lambda: time.monotonic() < end)


def _must_be_equal(outcome: Outcome, sound: Outcome) -> bool:
    """Whether the very same codestream was found, and the tags that have a say in its values agree.

    Those are size, sign and bits; all others only tell how values are shown.
    """
    return outcome.values is not None and _facts(outcome) == _facts(sound)


def _facts(outcome: Outcome) -> list[tuple[object, ...]]:
    return [
        (
            record.sha256,
            record.stream,
            record.grayscale.bits,
            record.grayscale.signed,
            record.tags.bits_allocated,
            record.tags.high_bit,
            record.tags.transfer_syntax_uid == BIG_ENDIAN,
        )
        for record in outcome.records
    ]


def _is_another(outcome: Outcome, sound: Outcome) -> bool:
    return outcome.values is not None and not outcome.same_picture(sound)


def run_apart(seed: int, indices: range, shared: Path | None) -> Tally:
    """The tally of these mutants, run in a process of its own: the memory is that of the run."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(run_job, seed, indices, math.inf, shared).result()
