"""Passes over images, timed."""

import time
from collections.abc import Callable

RunPass = Callable[[], object]  # goes over all images once and waits for the device at its end


def img_s(run: RunPass, images: int, repeats: int) -> list[float]:
    """Images a second of each of `repeats` passes, after one that is not timed."""
    run()
    return [time_pass(run, images) for _ in range(repeats)]


def time_pass(run: RunPass, images: int) -> float:
    """Images a second of one pass."""
    start = time.perf_counter()
    run()
    return images / (time.perf_counter() - start)
