"""What the tests of commands share: a logger given back as it was, and a command to try."""

import logging
import sys
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import click
import pytest

import cli.main
from cli.logs import ROOT


@pytest.fixture(autouse=True)
def untouched_logger() -> Iterator[None]:
    logger = logging.getLogger(ROOT)
    level, handlers = logger.level, logger.handlers[:]
    logger.setLevel(logging.NOTSET)
    of_loader = logging.getLogger(f"{ROOT}.loader").level
    yield
    logging.getLogger(f"{ROOT}.loader").setLevel(of_loader)
    logger.setLevel(level)
    logger.handlers[:] = handlers


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run main() with a command `try` that does what the test says; the exit code."""

    def run_main(action: Callable[[], object], *args: str) -> int:
        command = click.Command("try", callback=action)
        monkeypatch.setitem(sys.modules, "cli.try", SimpleNamespace(command=command))
        monkeypatch.setitem(cli.main.COMMANDS, "try", "Try.")
        with pytest.raises(SystemExit) as ended:
            cli.main.main([*args, "try"])
        assert isinstance(ended.value.code, int)
        return ended.value.code

    return run_main
