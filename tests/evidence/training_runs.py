"""Training runs in processes of their own, one a rank, that may be killed at a given batch.

Each rank notes every batch that the network is shown, so that samples can be counted afterwards.
"""

import contextlib
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from cli.training import Wishes, resolve_training
from dali_pipelines.plan import EMPTY, Blocks
from dali_pipelines.records import ImageRecord
from dali_pipelines.rejects.limits import parse_limit
from dali_pipelines.shards.shard_loader import ShardLoader
from dali_pipelines.shards.shard_set import ShardSet
from dali_pipelines.stages import Batch
from dali_pipelines.verdicts import Reject
from tests.evidence.forked import CONTEXT
from trainer.train import RunOptions, train

PREEMPTED = 75
MOST_LOST = "10%"
LONGEST_S = 300.0  # that a rank may live on without the others: they notice it in milliseconds


@dataclass(frozen=True)
class Study:
    """A manifest with folds, its prepared images, and a file of settings."""

    manifest: Path
    shards: Path
    config: Path


@dataclass(frozen=True)
class Death:
    """A signal that a rank gets some time after it was shown so many batches."""

    batches: int
    delay_s: float = 0.0
    number: signal.Signals = signal.SIGKILL


def start(
    study: Study, out: Path, notes: Path, ranks: int = 1, deaths: Mapping[int, Death] | None = None
) -> list[ForkServerProcess]:
    """The ranks of a run that begins, or goes on; what they are shown goes to the folder `notes`.

    `deaths` are by rank.
    """
    notes.mkdir(parents=True)
    port = _free_port()
    processes = []
    for rank in range(ranks):
        place = {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(ranks)}
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "LOCAL_WORLD_SIZE": str(ranks)}
        told = (study, out, notes, {**place, **meeting}, (deaths or {}).get(rank))
        processes.append(CONTEXT.Process(target=_run, args=told))
        processes[-1].start()
    return processes


def train_command(study: Study, out: Path) -> list[str]:
    """`train` with what makes the same run from the command line."""
    words = ["train", study.manifest, "-O", out, "--config", study.config, "--device", "cpu"]
    return [str(word) for word in [*words, "--shards", study.shards, "--max-rejects", MOST_LOST]]


def exit_codes(processes: Sequence[ForkServerProcess]) -> list[int | None]:
    """How the ranks ended, once all have; none outlives the others for long."""
    for process in processes:
        process.join(LONGEST_S)
    codes = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
    return codes


def finish(study: Study, out: Path, notes: Path, ranks: int = 1) -> None:
    """A run that begins, or goes on, and gets to its end."""
    codes = exit_codes(start(study, out, notes, ranks))
    assert codes == [0] * ranks, "\n".join(p.read_text() for p in sorted(notes.glob("*.log")))


def notes_of(notes: Path, rank: int) -> list[tuple[int, list[str]]]:
    """What a rank was shown: the number of the pass, and the ids of a batch, "" for no image.

    Passes are of training and of validation in turn, beginning with training.
    """
    rows = (notes / f"{rank}.jsonl").read_text().splitlines()
    return [(number, ids) for number, ids in map(json.loads, rows)]


class _Noted:
    """A source that notes what passes through, and has its process killed on the way."""

    def __init__(self, source: ShardLoader, notes: Path, death: Death | None) -> None:
        self._source = source
        self._notes = notes
        self._death = death
        self._passes = 0
        self._batches = 0

    @property
    def rejects(self) -> list[Reject]:
        return self._source.rejects

    def run(self, blocks: Blocks) -> Iterator[Batch]:
        self._passes += 1
        return self._noted(self._passes - 1, self._source.run(blocks))

    def _noted(self, number: int, batches: Iterator[Batch]) -> Iterator[Batch]:
        for batch in batches:
            places = zip(batch.indices.tolist(), batch.image_ids, strict=True)
            ids = ["" if index == EMPTY else name for index, name in places]
            with self._notes.open("a") as file:
                file.write(json.dumps([number, ids]) + "\n")
            self._batches += 1
            if self._death is not None and self._batches == self._death.batches:
                dying = os.kill, (os.getpid(), self._death.number)
                threading.Timer(self._death.delay_s, *dying).start()
            yield batch


def _run(
    study: Study, out: Path, notes: Path, place: Mapping[str, str], death: Death | None
) -> None:
    """One rank; leaves as `mammo train` does."""
    os.environ.update(place)
    with (notes / f"{place['RANK']}.log").open("wb") as log:
        for stream in (1, 2):
            os.dup2(log.fileno(), stream)
    settings, _ = resolve_training(Wishes(study.config, (), "demo", False, {}))
    shards = ShardSet.open(study.shards)

    @contextlib.contextmanager
    def open_source(records: Sequence[ImageRecord], *_: Any) -> Iterator[_Noted]:
        with ShardLoader(records, shards, settings.loader) as source:
            yield _Noted(source, notes / f"{place['RANK']}.jsonl", death)

    options = RunOptions("cpu", max_rejects=parse_limit(MOST_LOST), open_source=open_source)
    ended = train(settings, shards.recipe, study.manifest, out, options)
    raise SystemExit(0 if ended.state == "done" else PREEMPTED)


def _free_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return str(free.getsockname()[1])
