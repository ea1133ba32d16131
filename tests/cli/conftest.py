"""Commands set up logging for their process; a test gives it back as it was."""

import logging
from collections.abc import Iterator

import pytest

from cli.logs import ROOT


@pytest.fixture(autouse=True)
def untouched_logger() -> Iterator[None]:
    logger = logging.getLogger(ROOT)
    level, handlers = logger.level, logger.handlers[:]
    logger.setLevel(logging.NOTSET)
    yield
    logger.setLevel(level)
    logger.handlers[:] = handlers
