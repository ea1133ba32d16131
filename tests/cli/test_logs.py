"""Logs: what the flags and the rank let through."""

import logging
from collections.abc import Callable

import pytest

from cli.logs import ROOT as LOGGER


@pytest.mark.parametrize(
    ("flags", "said"),
    [([], "i warning: w "), (["-v"], "d i warning: w "), (["-q"], "warning: w "), (["-qq"], "")],
)
def test_verbosity_decides_what_is_logged(
    flags: list[str], said: str, run: Callable[..., int], capsys: pytest.CaptureFixture[str]
) -> None:
    def action() -> None:
        log = logging.getLogger(f"{LOGGER}.scan")
        log.debug("d")
        log.info("i")
        log.warning("w")

    assert run(action, *flags) == 0
    out, err = capsys.readouterr()
    assert out == ""
    assert err.replace("\n", " ") == said


def test_a_rank_that_is_no_number_is_none(
    run: Callable[..., int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "first")
    assert run(lambda: None) == 0


def test_other_ranks_log_only_what_is_wrong(
    run: Callable[..., int], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "3")

    def action() -> None:
        logging.getLogger(LOGGER).info("i")
        logging.getLogger(LOGGER).error("e")

    run(action)
    assert capsys.readouterr().err == "[r3] error: e\n"
