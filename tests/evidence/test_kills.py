"""Decode workers killed and stopped at random cost nothing, or their one sample: never an order."""

import os
import random
import signal
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from benchmarks.process_tree import descendants
from dali_pipelines.catalog.build import CatalogSettings, plan_catalog, write_catalog
from dali_pipelines.loader import Loader
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.manifest_rows import to_records
from dali_pipelines.phantom.header import HeaderSpec, make_uid
from dali_pipelines.phantom.write import write_dicom
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.plan import shuffled_blocks
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.verdicts import Reason

pytestmark = pytest.mark.slow

COUNT, BATCH = 40, 4
APART_S = 0.4  # the most between two kills: a worker starts in 0.2 s, so it is met at any age
SYNTAXES = ("j2k", "jpeg_sv1", "htj2k", "jpegls", "rle")
RECIPE = Recipe("test", resize=ResizeSettings(size=(24, 16)))
SETTINGS = LoaderSettings(threads=2)


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[ImageRecord]:
    """Images that take 5 to 60 ms each, so that most kills meet one on its way."""
    folder = tmp_path_factory.mktemp("kills")
    rng = np.random.default_rng(0)
    (folder / "in").mkdir()
    for k in range(COUNT):
        values = rng.integers(0, 4096, (700 + k % 7, 600 + k % 5)).astype(np.uint16)
        spec = HeaderSpec(SYNTAXES[k % 5], 12, sop_uid=make_uid(f"kills {k}"))
        write_dicom(folder / "in" / f"{k:04d}.dcm", values, spec)
    plan = plan_catalog([folder / "in"], CatalogSettings(folder / "manifest.parquet"))
    return to_records(write_catalog(plan).frame)


def epoch(loader: Loader, number: int) -> list[tuple[str, int]]:
    """(image_id, checksum of its tensor) of each image delivered, in order."""
    blocks = shuffled_blocks(None, COUNT, BATCH, seed=7, epoch=number)
    delivered = []
    for row, batch in zip(blocks, loader.run(blocks), strict=True):
        assert batch.indices.tolist() == row.tolist()
        delivered += [
            (batch.image_ids[place], zlib.crc32(batch.images[place].numpy().tobytes()))
            for place in np.flatnonzero(batch.valid.numpy())
        ]
    return delivered


def decode_workers() -> list[int]:
    """The decode processes of this one."""
    found = []
    for pid in descendants(os.getpid())[1:]:
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if b"dali_pipelines.isolation.child" in words:
            found.append(pid)
    return found


@contextmanager
def disturbing(wanted: int, signal_number: signal.Signals, done: list[int]) -> Iterator[None]:
    """Send the signal to a random worker at random moments, until `wanted` workers got it.

    Of any age, also while they start: what is killed twice in a row is no image's fault. No worker
    is hit twice.
    """
    chance = random.Random(11)
    over = threading.Event()

    def disturb() -> None:
        while len(done) < wanted and not over.wait(chance.random() * APART_S):
            alive = [pid for pid in decode_workers() if pid not in done]
            if alive:
                pid = chance.choice(alive)
                try:
                    os.kill(pid, signal_number)
                except ProcessLookupError:
                    continue
                done.append(pid)

    thread = threading.Thread(target=disturb)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_every_image_arrives_once_though_workers_are_killed(
    records: list[ImageRecord], full: bool, record_evidence: Callable
) -> None:
    kills = 50 if full else 6
    killed: list[int] = []
    undisturbed = []
    number = 0
    with Loader(records, RECIPE, SETTINGS, "cpu") as loader:
        undisturbed = epoch(loader, 0)
    wanted = dict(undisturbed)
    assert len(wanted) == COUNT
    with Loader(records, RECIPE, SETTINGS, "cpu") as loader:
        with disturbing(kills, signal.SIGKILL, killed):
            while len(killed) < kills:
                order = shuffled_blocks(None, COUNT, BATCH, seed=7, epoch=number).ravel()
                ids = [records[k].image_id for k in order if k >= 0]
                assert epoch(loader, number) == [(name, wanted[name]) for name in ids]
                number += 1
        assert loader.rejects == []
    assert len(set(killed)) == kills
    assert decode_workers() == []
    record_evidence("kills", {"kills": kills, "epochs": number, "images": number * COUNT})


def test_a_worker_that_hangs_costs_one_image(records: list[ImageRecord]) -> None:
    """Stopped for good, as by a decoder that never ends; the others arrive, in order."""
    settings = LoaderSettings(threads=2, timeout_s=2.0)
    stopped: list[int] = []
    with Loader(records, RECIPE, settings, "cpu") as loader:
        wanted = epoch(loader, 0)
        with disturbing(1, signal.SIGSTOP, stopped):
            while not stopped:
                time.sleep(0.01)
            delivered = epoch(loader, 0)
        (reject,) = loader.rejects
    assert reject.reason is Reason.TIMEOUT
    assert delivered == [row for row in wanted if row[0] != reject.image_id]
    assert decode_workers() == []


def test_a_loader_that_is_left_waits_for_no_worker(records: list[ImageRecord]) -> None:
    """Else the images that the stopped workers were at would end as E_TIMEOUT."""
    settings = LoaderSettings(threads=2, prefetch=1, timeout_s=20.0)
    blocks = shuffled_blocks(None, COUNT, BATCH, seed=7, epoch=0)
    with Loader(records, RECIPE, settings, "cpu") as loader:
        next(loader.run(blocks))
        workers = decode_workers()
        for pid in workers:
            os.kill(pid, signal.SIGSTOP)
    assert len(workers) == 2
    assert loader.rejects == []
    assert decode_workers() == []
