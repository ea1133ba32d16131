"""Two ranks on one GPU: together every image once, and how fast."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Final

from benchmarks.gpu.inputs import Inputs, Note
from benchmarks.machine import ROOT
from benchmarks.timing import round_off
from dali_pipelines.loader import Loader
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.plan import rank_blocks, sequential_blocks

RANKS: Final = 2
BATCH: Final = 8
_SYNTAX: Final = "j2k"
_IMAGES: Final = 67  # the last block is not full, and one rank has a block more
_LIMIT_S: Final = 90


def measure(inputs: Inputs, note: Note) -> None:
    """`img_s` of both together; `once`: each index came out of one rank, once."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = [_start(rank, port, inputs) for rank in range(RANKS)]
    try:
        answers = [process.communicate(timeout=_LIMIT_S)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    for rank, process in enumerate(started):
        if process.returncode:
            raise RuntimeError(f"rank {rank} ended with status {process.returncode}")
    found = json.loads(answers[0].splitlines()[-1])
    seen = sorted(index for rank in found for index in rank["indices"])
    note("ranks", [{k: v for k, v in rank.items() if k != "indices"} for rank in found])
    note("once", seen == list(range(_IMAGES)))
    note("img_s", round_off(_IMAGES / max(rank["wall_s"] for rank in found)))


def _start(rank: int, port: int, inputs: Inputs) -> "subprocess.Popen[str]":
    environment = os.environ | {
        "RANK": str(rank),
        "WORLD_SIZE": str(RANKS),
        "LOCAL_WORLD_SIZE": str(RANKS),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    return subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "benchmarks.gpu.ranks", str(inputs.folder)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )


def run_rank(inputs: Inputs) -> list[dict[str, Any]]:
    """This rank's share of two passes, the second one timed; the answers of all ranks."""
    from torch import distributed  # noqa: PLC0415 - of a rank alone

    distributed.init_process_group("gloo")
    rank, world = distributed.get_rank(), distributed.get_world_size()
    records = inputs.records(_SYNTAX, _IMAGES)
    blocks = rank_blocks(sequential_blocks(len(records), BATCH), rank, world)
    with Loader(records, inputs.load_recipe(), LoaderSettings(), "gpu") as loader:
        for _ in range(2):
            distributed.barrier()
            start = time.perf_counter()
            batches = [(batch.indices, batch.valid.numpy()) for batch in loader.run(blocks)]
            wall_s = time.perf_counter() - start
    indices = [int(k) for row, valid in batches for k in row[valid]]
    answers: list[Any] = [None] * world
    distributed.all_gather_object(answers, {"wall_s": wall_s, "indices": indices})
    distributed.destroy_process_group()
    return answers


if __name__ == "__main__":
    print(json.dumps(run_rank(Inputs(Path(sys.argv[1])))))
