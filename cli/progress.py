"""Progress of a long command on stderr: a bar on a terminal, else a plain line now and then.

Only rank 0 reports, and `mammo -q` reports nothing. Standard output stays free for the result.
"""

import logging
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Protocol, Self, TextIO

from cli.logs import ROOT, rank

INTERVAL_S: Final = 30.0

Clock = Callable[[], float]


class Progress(Protocol):
    """What a command does with any kind of progress: `with progress(...) as bar: bar.update()`."""

    def update(self, n: int = 1, **counts: int) -> None:
        """Count `n` more as done. `counts` are totals so far, shown by name: `failed=3`."""

    def __enter__(self) -> Self:
        """Start the clock."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Say how it ended."""


@dataclass(slots=True)
class Tally:
    """How far the work is; `counts` are remarks such as failed=3."""

    label: str
    unit: str
    total: int | None
    done: int
    counts: dict[str, int]

    def line(self, elapsed_s: float, *, finished: bool) -> str:
        """One plain line: done, share, rate, time left (or taken, if `finished`), counts."""
        parts = [self.label, self._share(), f"{format_rate(self.done, elapsed_s)} {self.unit}/s"]
        if finished:
            parts.append(f"in {format_duration(elapsed_s)}")
        elif self.total is not None and self.done:
            left = max(self.total - self.done, 0)
            parts.append(f"eta {format_duration(elapsed_s * left / self.done)}")
        return " ".join([*parts, *(f"{name} {count:,}" for name, count in self.counts.items())])

    def _share(self) -> str:
        if self.total is None:
            return f"{self.done:,}"
        percent = 100 * self.done / self.total if self.total else 100
        return f"{self.done:,}/{self.total:,} ({percent:.1f} %)"


class Silent:
    """Reports nothing: the other ranks, and `mammo -q`."""

    def update(self, n: int = 1, **counts: int) -> None:
        """Do nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Do nothing."""


class Lines:
    """A plain line every INTERVAL_S seconds, and one at the end unless it failed at the start."""

    def __init__(self, tally: Tally, stream: TextIO, clock: Clock) -> None:
        self._tally, self._stream, self._clock = tally, stream, clock
        self._start = self._last = clock()

    def update(self, n: int = 1, **counts: int) -> None:
        """Count, and write a line if the last one is long ago."""
        self._tally.done += n
        self._tally.counts.update(counts)
        now = self._clock()
        if now - self._last >= INTERVAL_S:
            self._last = now
            self._write(now, finished=False)

    def __enter__(self) -> Self:
        self._start = self._last = self._clock()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None or self._tally.done:
            self._write(self._clock(), finished=True)

    def _write(self, now: float, *, finished: bool) -> None:
        self._stream.write(self._tally.line(now - self._start, finished=finished) + "\n")
        self._stream.flush()


class Bar:
    """A tqdm bar, which draws no color by itself; what it shows stays on the screen."""

    def __init__(self, tally: Tally, stream: TextIO) -> None:
        from tqdm import tqdm

        self._counts = tally.counts
        self._bar = tqdm(
            total=tally.total,
            desc=tally.label,
            unit=f" {tally.unit}",
            file=stream,
            dynamic_ncols=True,
            smoothing=0.1,
        )

    def update(self, n: int = 1, **counts: int) -> None:
        """Move the bar."""
        if counts:
            self._counts.update(counts)
            self._bar.set_postfix(self._counts, refresh=False)
        self._bar.update(n)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()


def progress(
    total: int | None,
    label: str,
    unit: str = "img",
    *,
    stream: TextIO | None = None,
    clock: Clock = time.monotonic,
) -> Progress:
    """The kind of progress that suits this process; `total` None where it is not known."""
    stream = stream or sys.stderr
    if rank() or logging.getLogger(ROOT).level > logging.INFO:
        return Silent()
    tally = Tally(label, unit, total, 0, {})
    if stream.isatty() and os.environ.get("TERM", "") not in {"", "dumb"}:
        return Bar(tally, stream)
    return Lines(tally, stream, clock)


def format_rate(count: int, elapsed_s: float) -> str:
    """Items per second with two significant digits or more: 0.25, 3.1, 412, 1,250."""
    rate = count / elapsed_s if elapsed_s > 0 else 0.0
    digits = 0 if rate >= 10 else 1 if rate >= 1 else 2
    return f"{rate:,.{digits}f}"


def format_duration(seconds: float) -> str:
    """Seconds as 43s, 1m43s or 2h05m."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    minutes = round(seconds / 60)
    return f"{minutes // 60}h{minutes % 60:02d}m"
