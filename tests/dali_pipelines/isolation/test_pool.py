"""Several threads, several children: all busy at once, none left, killed ones replaced."""

import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from dali_pipelines.decoder import Decoder
from dali_pipelines.errors import DeviceError
from dali_pipelines.isolation.pool import DecodePool
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.stages import Encoded, Pixels
from dali_pipelines.verdicts import Reason, RejectError

RECIPE = Recipe("any")
SLOW = """
import os, time
from dali_pipelines.cpu.decode import decode
def slow(encoded, recipe):
    if encoded.data[0] == 1: os.abort()
    if encoded.data[0] == 2: time.sleep(600)
    time.sleep(0.02)
    return decode(encoded)
"""


def children() -> list[int]:
    """The decode processes of this one that have not been waited for."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            words = (folder / "cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == os.getpid() and (not words or b"dali_pipelines.isolation.child" in words):
            found.append(int(folder.name))
    return found


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DecodePool]:
    (tmp_path / "slow_decoder.py").write_text(SLOW)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    assert children() == []
    pool = DecodePool(2, "slow_decoder:slow")
    yield pool
    pool.close()
    assert children() == []


def batch_of(count: int, noise: Callable, encoded_of: Callable) -> list[Encoded]:
    images = [noise(8, (20 + k % 7, 30), seed=k) for k in range(count)]
    for image in images:
        image[0, 0] = 9
    return [encoded_of(image, "raw", 8) for image in images]


def is_exact(pixels: Pixels, encoded: Encoded) -> bool:
    return np.array_equal(pixels.values, encoded.data.reshape(-1, 30))


def test_children_start_as_they_are_needed(
    slow: DecodePool, noise: Callable, encoded_of: Callable
) -> None:
    batch = batch_of(6, noise, encoded_of)
    for encoded in batch[:3]:
        assert is_exact(slow.decode(encoded, RECIPE), encoded)
    assert len(children()) == 1
    with ThreadPoolExecutor(4) as threads:
        decoded = list(threads.map(slow.decode, batch, [RECIPE] * len(batch)))
    assert len(children()) == 2
    assert all(is_exact(pixels, encoded) for pixels, encoded in zip(decoded, batch, strict=True))


def test_after_close_none_is_left_and_none_is_started(
    slow: DecodePool, noise: Callable, encoded_of: Callable
) -> None:
    (encoded,) = batch_of(1, noise, encoded_of)
    slow.decode(encoded, RECIPE)
    assert len(children()) == 1
    slow.close()
    assert children() == []
    with pytest.raises(DeviceError, match="were ended"):
        slow.decode(encoded, RECIPE)


def test_close_ends_a_child_that_never_will(
    slow: DecodePool, noise: Callable, encoded_of: Callable
) -> None:
    """Its image is no reject: nobody waits for it any more."""
    (encoded,) = batch_of(1, noise, encoded_of)
    slow.decode(encoded, RECIPE)
    hanging = encoded.data.copy()
    hanging[0] = 2  # sleeps for ten minutes
    with ThreadPoolExecutor(1) as threads:
        begun = threads.submit(slow.decode, Encoded(hanging, encoded.record), RECIPE)
        while begun.running() and not is_asleep(children()[0]):
            time.sleep(0.01)
        slow.close()
        assert isinstance(begun.exception(), DeviceError)


def is_asleep(pid: int) -> bool:
    """Whether the process waits for the clock."""
    return "nanosleep" in Path(f"/proc/{pid}/wchan").read_text()


def test_a_stopped_child_costs_its_image_after_the_timeout(
    slow: DecodePool, noise: Callable, encoded_of: Callable
) -> None:
    batch = batch_of(3, noise, encoded_of)
    pool = DecodePool(1, "slow_decoder:slow", timeout_s=1.0)
    try:
        pool.decode(batch[0], RECIPE)
        os.kill(children()[0], signal.SIGSTOP)
        with pytest.raises(RejectError) as caught:
            pool.decode(batch[1], RECIPE)
        assert caught.value.reason is Reason.TIMEOUT
        assert is_exact(pool.decode(batch[2], RECIPE), batch[2])
    finally:
        pool.close()


def test_an_image_that_kills_its_child_costs_itself_only(
    slow: DecodePool, noise: Callable, encoded_of: Callable
) -> None:
    batch = batch_of(12, noise, encoded_of)
    deadly = batch[5].data.copy()
    deadly[0] = 1
    batch[5] = Encoded(deadly, batch[5].record)

    def decode(encoded: Encoded) -> Pixels | RejectError:
        try:
            return slow.decode(encoded, RECIPE)
        except RejectError as error:
            return error

    with ThreadPoolExecutor(2) as threads:
        decoded = list(threads.map(decode, batch))
    assert decoded[5].reason is Reason.DECODER_CRASH
    del decoded[5], batch[5]
    assert all(is_exact(pixels, encoded) for pixels, encoded in zip(decoded, batch, strict=True))


def test_children_killed_at_random_cost_nothing(
    slow: DecodePool, noise: Callable, encoded_of: Callable
) -> None:
    """60 images; each child that is killed was new at least 10 images ago, so no image meets two.

    They take 20 ms each, so most kills hit an image on its way.
    """
    batch = batch_of(60, noise, encoded_of)
    done: list[int] = []
    killed: list[int] = []
    chance = random.Random(7)

    def decode(k: int) -> Pixels:
        pixels = slow.decode(batch[k], RECIPE)
        done.append(k)
        return pixels

    def kill() -> None:
        for after in range(10, 50, 13):
            while len(done) < after:
                time.sleep(0.001)
            time.sleep(chance.random() * 0.02)
            killed.append(chance.choice(children()))
            os.kill(killed[-1], signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    with ThreadPoolExecutor(2) as threads:
        decoded = list(threads.map(decode, range(60)))
    killer.join()
    assert len(killed) == 4
    assert sorted(done) == list(range(60))
    assert all(is_exact(pixels, encoded) for pixels, encoded in zip(decoded, batch, strict=True))


def test_a_decoder_in_processes_outlives_a_kill_and_leaves_nobody(
    noise: Callable, encoded_of: Callable
) -> None:
    values = [noise(12, (40 + k, 30), seed=k) for k in range(60)]
    syntaxes = ("j2k", "jpeg_sv1", "jpegls")
    batch = [encoded_of(v, syntaxes[k % 3], 12) for k, v in enumerate(values)]
    with ThreadPoolExecutor(2) as pool:
        decoder = Decoder(LoaderSettings(threads=2, isolation="process"), RECIPE, pool)
        decoded = []
        for start in range(0, 60, 12):
            decoded += decoder.decode(batch[start : start + 12])
            os.kill(children()[0], signal.SIGKILL)
        decoder.close()
    assert children() == []
    assert all(np.array_equal(p.values, v) for p, v in zip(decoded, values, strict=True))
    assert sum(decoder.counts.values()) == 60
