"""Logs of the run: logger "mammo" and below it, on stderr, out of the way of a progress bar.

Information is a bare line; anything graver says so. Ranks other than 0 report only what is wrong,
with their number in front.
"""

import logging
import os
import sys
from typing import Final

ROOT: Final = "mammo"


class _StderrHandler(logging.Handler):
    """Writes to whatever `sys.stderr` is now, above a bar if one is being drawn."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = self.format(record)
            tqdm = sys.modules.get("tqdm")  # no bar can exist before its module does
            if tqdm is None:
                sys.stderr.write(text + "\n")
            else:
                tqdm.tqdm.write(text, file=sys.stderr)
        except (OSError, ValueError):  # stderr is gone or closed
            self.handleError(record)


class _Formatter(logging.Formatter):
    def __init__(self, prefix: str) -> None:
        super().__init__()
        self._prefix = prefix

    def format(self, record: logging.LogRecord) -> str:
        text = super().format(record)
        grave = record.levelno >= logging.WARNING
        return f"{self._prefix}{record.levelname.lower() + ': ' if grave else ''}{text}"


def rank() -> int:
    """The number of this process as torchrun gives it; 0 where nothing or no number is given."""
    text = os.environ.get("RANK", "")
    return int(text) if text.isdecimal() else 0


def start_logging(verbosity: int) -> None:
    """Send logger "mammo" to stderr: 0 information, 1 and up also debug, -1 warnings, -2 errors."""
    number = rank()
    level = logging.INFO - 10 * max(-2, min(verbosity, 1))
    handler = _StderrHandler()
    handler.setFormatter(_Formatter(f"[r{number}] " if number else ""))
    logger = logging.getLogger(ROOT)
    logger.handlers[:] = [handler]
    logger.setLevel(max(level, logging.WARNING) if number else level)
