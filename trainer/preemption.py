"""Notice of an early end: schedulers send SIGTERM, or SIGUSR1 some time before it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGUSR1)


@contextmanager
def stop_requests() -> Iterator[threading.Event]:
    """An event that is set once the process is asked to end; the old handlers come back after.

    Outside the main thread, where Python allows no handlers, the event is never set.
    """
    asked = threading.Event()

    def note(_signal: int, _frame: FrameType | None) -> None:
        asked.set()

    before: dict[signal.Signals, Any] = {}
    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
