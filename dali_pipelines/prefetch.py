"""Run an iterator ahead of its consumer in one thread."""

import queue
import threading
from collections.abc import Generator, Iterator
from typing import Final, TypeVar

T = TypeVar("T")

_POLL_S: Final = 0.1  # how soon a consumer that left is noticed


def run_ahead(source: Generator[T, None, None], depth: int) -> Iterator[T]:
    """The items of `source` in order, up to `depth` of them made before they are asked for.

    `source` runs in a thread of its own and is closed there, also where the consumer leaves early.
    An error in it is raised here, after the items before it.
    """
    finished: queue.Queue[tuple[T] | BaseException | None] = queue.Queue(depth)
    stop = threading.Event()

    def put(item: tuple[T] | BaseException | None) -> bool:
        while not stop.is_set():
            try:
                finished.put(item, timeout=_POLL_S)
            except queue.Full:
                continue
            return True
        return False

    def produce() -> None:
        try:
            for item in source:
                if not put((item,)):
                    break
            else:
                put(None)
        except BaseException as error:  # noqa: BLE001 - raised in the consumer's thread
            put(error)
        finally:
            source.close()

    producer = threading.Thread(target=produce, name="mammo-produce", daemon=True)
    producer.start()
    try:
        while (item := finished.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item[0]
    finally:
        stop.set()
        producer.join()
