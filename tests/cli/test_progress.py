"""Progress: hand-worked lines at injected times, the bar on a terminal, silence elsewhere."""

import io
import logging

import pytest

from cli.logs import ROOT, start_logging
from cli.progress import Bar, Lines, Silent, format_duration, format_rate, progress


class Clock:
    """Seconds that the test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def plain_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(logging.getLogger(ROOT), "level", logging.NOTSET)


def test_a_line_every_thirty_seconds_and_one_at_the_end() -> None:
    clock, out = Clock(), io.StringIO()
    with progress(54_706, "scan", stream=out, clock=clock) as bar:
        clock.now += 29.9
        bar.update(12_000, failed=1)
        assert out.getvalue() == ""
        clock.now += 0.1
        bar.update(288, failed=3)  # 12,288 in 30.0 s: 409.6/s, 42,418 left: 103.6 s
        clock.now += 29
        bar.update()
        clock.now += 71
        bar.update(54_706 - 12_289)
        clock.now += 2
    assert out.getvalue().splitlines() == [
        "scan 12,288/54,706 (22.5 %) 410 img/s eta 1m44s failed 3",
        "scan 54,706/54,706 (100.0 %) 421 img/s eta 0s failed 3",
        "scan 54,706/54,706 (100.0 %) 414 img/s in 2m12s failed 3",
    ]


def test_an_unknown_total_shows_no_share_and_no_time_left() -> None:
    clock, out = Clock(), io.StringIO()
    with progress(None, "walk", "files", stream=out, clock=clock) as bar:
        clock.now += 40
        bar.update(10)
    assert out.getvalue().splitlines() == [
        "walk 10 0.25 files/s",
        "walk 10 0.25 files/s in 40s",
    ]


def test_nothing_to_do_is_done() -> None:
    out = io.StringIO()
    with progress(0, "scan", stream=out, clock=Clock()):
        pass
    assert out.getvalue() == "scan 0/0 (100.0 %) 0.00 img/s in 0s\n"


def test_an_interrupted_run_says_how_far_it_came() -> None:
    clock, out = Clock(), io.StringIO()
    with pytest.raises(KeyboardInterrupt), progress(4, "scan", stream=out, clock=clock) as bar:
        clock.now += 2
        bar.update()
        raise KeyboardInterrupt
    assert out.getvalue() == "scan 1/4 (25.0 %) 0.50 img/s in 2s\n"


def test_what_failed_before_it_began_shows_no_progress() -> None:
    out = io.StringIO()
    with pytest.raises(OSError, match="x"), progress(4, "scan", stream=out, clock=Clock()):
        raise OSError("x")
    assert out.getvalue() == ""


def test_a_terminal_gets_a_bar_without_color() -> None:
    out = Terminal()
    with progress(4, "scan", stream=out) as bar:
        assert isinstance(bar, Bar)
        bar.update(3, failed=2)
        bar.update()
    last = out.getvalue().split("\r")[-1]
    assert last.startswith("scan: 100%")
    assert "4/4" in last
    assert "failed=2" in last
    assert "\x1b[3" not in out.getvalue()


@pytest.mark.parametrize("term", ["dumb", ""])
def test_a_dumb_terminal_gets_lines(term: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", term)
    assert isinstance(progress(4, "scan", stream=Terminal()), Lines)


@pytest.mark.parametrize("stream", [Terminal(), io.StringIO()])
def test_other_ranks_are_silent(stream: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    with progress(4, "scan", stream=stream) as bar:
        assert isinstance(bar, Silent)
        bar.update(4, failed=4)
    assert stream.getvalue() == ""


def test_rank_0_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    assert isinstance(progress(4, "scan", stream=io.StringIO()), Lines)


def test_quiet_is_silent() -> None:
    start_logging(-1)
    assert isinstance(progress(4, "scan", stream=Terminal()), Silent)


def test_the_default_stream_is_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(1, "scan") as bar:
        bar.update()
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("scan 1/1 (100.0 %) ")


@pytest.mark.parametrize(
    ("count", "elapsed_s", "text"),
    [(0, 0, "0.00"), (1, 4, "0.25"), (31, 10, "3.1"), (412, 1, "412"), (2_500, 2, "1,250")],
)
def test_rates(count: int, elapsed_s: float, text: str) -> None:
    assert format_rate(count, elapsed_s) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (59.4, "59s"), (59.6, "1m00s"), (103, "1m43s"), (3599.7, "1h00m"), (7500, "2h05m")],
)
def test_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_a_log_line_does_not_break_the_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Terminal()
    monkeypatch.setattr("sys.stderr", out)
    start_logging(0)
    with progress(2, "scan") as bar:
        bar.update()
        logging.getLogger(ROOT).warning("odd")
        bar.update()
    assert "warning: odd\n" in out.getvalue()
    before = out.getvalue().split("warning: odd")[0]
    assert before.endswith("\r")  # the bar was wiped first
