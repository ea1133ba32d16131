"""An iterator run ahead: order, errors, early leave."""

import threading
from collections.abc import Generator

import pytest

from dali_pipelines.prefetch import run_ahead


def counting(stop: int, log: list[str]) -> Generator[int, None, None]:
    try:
        for k in range(stop):
            log.append(f"made {k} in {threading.current_thread().name}")
            yield k
    finally:
        log.append("closed")


def test_items_come_in_order_from_another_thread() -> None:
    log: list[str] = []
    assert list(run_ahead(counting(5, log), depth=2)) == [0, 1, 2, 3, 4]
    assert log == [f"made {k} in mammo-produce" for k in range(5)] + ["closed"]


def test_leaving_early_closes_the_source() -> None:
    log: list[str] = []
    items = run_ahead(counting(1000, log), depth=2)
    assert next(items) == 0
    items.close()
    assert log[-1] == "closed"
    assert len(log) < 10


def test_an_error_is_raised_after_the_items_before_it() -> None:
    def failing() -> Generator[int, None, None]:
        yield 1
        raise KeyError("broken")

    items = run_ahead(failing(), depth=4)
    assert next(items) == 1
    with pytest.raises(KeyError, match="broken"):
        next(items)
