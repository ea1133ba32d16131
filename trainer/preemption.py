"""Notice of an early end: schedulers send SIGTERM, or SIGUSR1 some time before it."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGUSR1)


_open: list[threading.Event] = []  # of the stretch that this process is in, if of one


@contextmanager
def stop_requests() -> Iterator[threading.Event]:
    """An event that is set once the process is asked to end; the old handlers come back after.

    Within another such stretch it is that one's, so that nothing said between two runs is lost.
    Outside the main thread, where Python allows no handlers, the event is never set.
    """
    if threading.current_thread() is not threading.main_thread():
        yield threading.Event()
        return
    if _open:
        yield _open[0]
        return
    asked = threading.Event()

    def note(_signal: int, _frame: FrameType | None) -> None:
        asked.set()

    before: dict[signal.Signals, Any] = {}
    _open.append(asked)
    try:
        for number in SIGNALS:
            before[number] = signal.signal(number, note)
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _open.clear()
