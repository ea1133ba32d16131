"""`mammo predict` in processes of its own, one a rank, which may be killed."""

import os
import random
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Final

import torch

from cli.main import main
from dali_pipelines.catalog.build import CatalogSettings, plan_catalog, write_catalog
from dali_pipelines.phantom.exams import write_phantoms
from dali_pipelines.phantom.patients import PhantomSettings
from dali_pipelines.recipe import Recipe, load_recipe
from tests.evidence.forked import CONTEXT
from trainer.checkpoint import Checkpoint, save_checkpoint
from trainer.networks.build import build_model

BATCH: Final = 8
LONGEST_S: Final = 1800.0  # of a busy machine
_PATIENCE_S: Final = 5.0
_DAMAGED: Final = 20  # one image in so many
_CROPPED: Final = load_recipe("demo", ["resize.size=[64, 48]"])
_WHOLE: Final = load_recipe(
    "demo", ["resize.size=[96, 80]", "roi.method=none", "roi.mirror=none", "resize.fit=stretch"]
)
# EfficientNet has convolutions of 1 x 1, whose last bits depend on how many threads torch has
_MEMBERS: Final[tuple[tuple[str, Recipe], ...]] = (
    ("test_efficientnet", _CROPPED),
    ("test_resnet", _CROPPED),
    ("test_efficientnet", _WHOLE),
)


@dataclass(frozen=True)
class Archive:
    """A manifest of synthetic exams, one image in 20 cut short, and three checkpoints."""

    manifest: Path
    checkpoints: tuple[Path, ...]
    images: int

    @property
    def blocks(self) -> int:
        """How many blocks a prediction has."""
        return -(-self.images // BATCH)


def write_archive(folder: Path, patients: int) -> Archive:
    """Four images a patient; checkpoints of two recipes and of random weights."""
    exams = write_phantoms(
        folder / "exams", PhantomSettings(patients=patients, height=128, width=104)
    )
    settings = CatalogSettings(folder / "manifest.parquet", labels=(exams.labels,))
    frame = write_catalog(plan_catalog([exams.images], settings)).frame
    for path in sorted(exams.images.rglob("*.dcm"))[::_DAMAGED]:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    paths = []
    for number, (name, recipe) in enumerate(_MEMBERS):
        torch.manual_seed(number)
        args = {"model_name": name, "in_chans": 1, "num_classes": 1}
        weights, prepared_by = build_model(args).state_dict(), recipe.to_dict()
        paths.append(folder / f"{number}.pt")
        save_checkpoint(
            Checkpoint(weights, args, prepared_by, recipe.hash, {}, {}, 1, 0, "", {}, [], {}),
            paths[-1],
        )
    return Archive(settings.manifest, tuple(paths), len(frame))


def start(archive: Archive, out: Path, ranks: int = 1) -> list[ForkServerProcess]:
    """The ranks of a prediction that begins, or goes on; what they say goes beside `out`'s folder.

    All are started by the same command, as torchrun starts them.
    """
    members = [str(path) for path in archive.checkpoints]
    args = ["-q", "predict", str(archive.manifest), "--ckpt", *members, "-O", str(out)]
    args += ["--device", "cpu", "--batch", str(BATCH), "--max-rejects", "100%"]
    out.parent.mkdir(exist_ok=True)
    port = _free_port()
    processes = []
    for rank in range(ranks):
        places = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": ranks, "LOCAL_WORLD_SIZE": ranks}
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        told = {name: str(value) for name, value in {**places, **meeting}.items()}
        log = out.parent.with_name(f"{out.parent.name}-{rank}.log")
        processes.append(CONTEXT.Process(target=_run, args=(args, told if ranks > 1 else {}, log)))
        processes[-1].start()
    return processes


def finish(archive: Archive, out: Path, ranks: int = 1) -> None:
    """Let it get to its end."""
    codes = exit_codes(start(archive, out, ranks))
    logs = [path.read_text() for path in sorted(out.parent.parent.glob(f"{out.parent.name}-*.log"))]
    assert codes == [0] * ranks, "\n".join(logs)


def kill_at(
    archive: Archive, out: Path, ranks: int, victims: Sequence[int], rows: int, delay_s: float
) -> int | None:
    """Start ranks and kill -9 some, so long after so many more blocks were kept.

    Returns the blocks that are kept then; None where it got to its end before.
    """
    wanted = kept(out) + rows
    processes = start(archive, out, ranks)
    while kept(out) < wanted and all(process.is_alive() for process in processes):
        time.sleep(0.002)
    time.sleep(delay_s)
    for victim in victims:
        processes[victim].kill()
    _end(processes)
    return None if out.exists() else kept(out)


def _end(processes: Sequence[ForkServerProcess]) -> None:
    """As torchrun ends the ranks that are left: they are asked to, and then made to."""
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(_PATIENCE_S)
        process.kill()
        process.join()


def kept(out: Path) -> int:
    """How many whole lines the ranks have kept so far."""
    found = 0
    for path in out.parent.glob(f"{out.stem}_unfinished/rows-*"):
        try:
            found += path.read_bytes().count(b"\n")
        except FileNotFoundError:  # it has just come to its end
            continue
    return found


def moments(seed: int, blocks: int, deaths: int) -> list[tuple[int, float]]:
    """When to die: so many blocks, and then so many seconds, after a start."""
    chance = random.Random(seed)
    most = max(2, blocks // (2 * deaths))  # so that several are met before the end
    return [(chance.randint(1, most), chance.uniform(0, 0.2)) for _ in range(deaths)]


def exit_codes(processes: Sequence[ForkServerProcess]) -> list[int | None]:
    """How the ranks ended, once all have."""
    for process in processes:
        process.join(LONGEST_S)
    codes = [process.exitcode for process in processes]
    for process in processes:
        process.kill()
    return codes


def _run(args: list[str], environment: dict[str, str], log: Path) -> None:
    os.setsid()
    os.environ.update(environment)
    with log.open("ab") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    main(args)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
