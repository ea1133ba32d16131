"""`mammo preprocess` in processes of its own, which may be killed, and what it must come to."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from cli.main import main
from dali_pipelines.catalog.build import CatalogSettings, plan_catalog, write_catalog
from dali_pipelines.phantom.exams import write_phantoms
from dali_pipelines.phantom.patients import PhantomSettings
from dali_pipelines.shards.rows import read_rows
from tests.evidence.forked import CONTEXT

SHARD = 4
OPTIONS = ("--recipe", "demo", "--set", "resize.size=[96, 80]", "--device", "cpu", "-j", "1")


def write_images(folder: Path, patients: int) -> Path:
    """The manifest of so many exams of four images in mixed syntaxes."""
    exams = write_phantoms(
        folder / "exams", PhantomSettings(patients=patients, height=128, width=104)
    )
    settings = CatalogSettings(folder / "manifest.parquet")
    write_catalog(plan_catalog([exams.images], settings))
    return settings.manifest


def start(manifest: Path, out: Path, *options: str) -> ForkServerProcess:
    """A run under way; what it says goes to a file beside `out`."""
    args = ["-q", "preprocess", str(manifest), str(out), *OPTIONS, "--shard-size", str(SHARD)]
    said_by(out).unlink(missing_ok=True)
    process = CONTEXT.Process(target=_run, args=([*args, *options], said_by(out)))
    process.start()
    return process


def said_by(out: Path) -> Path:
    """What the last run on `out` said."""
    return out.with_name(f"{out.name}.log")


def _run(args: list[str], log: Path) -> None:
    os.setsid()
    with log.open("wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    main(args)


def files_in(folder: Path) -> dict[str, bytes]:
    """The content of each file below the folder, by relative path."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def require_whole_or_absent(out: Path, undisturbed: dict[str, bytes]) -> int:
    """How many shards there are now; each is what it is to be, and so is an index."""
    shards = sorted(out.glob("shard-*"))
    for folder in shards:
        for name, content in files_in(folder).items():
            is_same = undisturbed.get(f"{folder.name}/{name}") == content
            assert is_same, f"{folder.name}/{name} is other; codes {read_rows(folder)['code']}"
        names = {name for name in undisturbed if name.startswith(f"{folder.name}/")}
        assert {f"{folder.name}/{name}" for name in files_in(folder)} == names
    if (out / "index.parquet").exists():
        assert (out / "index.parquet").read_bytes() == undisturbed["index.parquet"]
    return len(shards)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[bool]:
    """Whether `folder` is a disk of so many bytes now; that takes the rights to mount one."""
    folder.mkdir()
    mounted = os.system(f"mount -t tmpfs -o size={size} tmpfs '{folder}' 2>/dev/null") == 0
    try:
        yield mounted
    finally:
        if mounted:
            os.system(f"umount '{folder}'")
