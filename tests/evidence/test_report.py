"""The demo's report in Debian's Chromium: what a reader sees, and that nothing leaves the machine.

Screenshots of both widths, light and dark, are left in the folder of the test.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dali_pipelines.phantom.patients import PhantomSettings
from tests.chromium import Browser, find_chromium
from trainer.demo import NOTICE, DemoSettings, run_demo

pytestmark = pytest.mark.slow

DESK, PHONE = 1280, 390  # px wide
MOST_BYTES = 3_000_000
SMALL = PhantomSettings(patients=8, height=160, width=128)  # two exams are held out
# of each picture of the first exam: its words, and the left, right and top edge
TILES = """[...document.querySelector('.hanging.plain').querySelectorAll('.tile')].map(tile => {
  const box = tile.querySelector('img').getBoundingClientRect();
  return [tile.querySelector('.view').innerText, box.left, box.right, box.top];
})"""
PICTURES = "[...document.images].filter(one => one.complete && one.naturalWidth > 1).length"
SHOWN = "[...document.querySelectorAll('.hanging.{}')].filter(e => e.offsetHeight > 0).length"
BRIGHTNESS = """(() => {
  const level = color => color.match(/[0-9.]+/g).slice(0, 3).reduce((a, b) => a + +b, 0) / 765;
  const style = getComputedStyle(document.body);
  return [level(style.backgroundColor), level(style.color)];
})()"""
MESSAGES = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")


def asked_of_others(browser: Browser, page: Path) -> set[str]:
    """What the page asked for beyond itself and what it holds."""
    asked = {event["request"]["url"] for event in browser.of("Network.requestWillBeSent")}
    assert page.as_uri() in asked
    return {url for url in asked if not url.startswith("data:")} - {page.as_uri()}


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory, full: bool) -> Path:
    settings = DemoSettings(device="cpu") if full else DemoSettings(SMALL, "cpu", epochs=1)
    return run_demo(tmp_path_factory.mktemp("demo") / "out", settings).report


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = find_chromium()
    if program is None:
        message = "no browser (Debian package chromium)"
        if os.environ.get("REQUIRE_SHARED") == "1":
            pytest.fail(message)
        pytest.skip(message)
    with Browser(program, tmp_path_factory.mktemp("profile")) as opened:
        yield opened


@pytest.mark.parametrize("width", [DESK, PHONE])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_the_page_opens_without_an_error_and_asks_nobody(
    page: Path, browser: Browser, tmp_path: Path, width: int, dark: bool
) -> None:
    browser.open(page, width, dark=dark)
    text = browser.ask("document.body.innerText")
    assert "MammoStream demo" in text
    assert NOTICE in text
    assert "Clean: no patient, no study and no identical codestream is in two folds." in text
    assert "3 of " in text
    assert "inputs gave no image" in text
    assert "Research use only." in text
    assert browser.of(*MESSAGES) == []
    assert browser.of("Network.loadingFailed") == []
    assert asked_of_others(browser, page) == set()
    assert browser.ask("document.documentElement.scrollWidth") <= width
    ground, ink = browser.ask(BRIGHTNESS)
    assert (ground < 0.2 and ink > 0.8) if dark else (ground > 0.9 and ink < 0.2)
    browser.screenshot(tmp_path / f"report-{width}-{'dark' if dark else 'light'}.png")


@pytest.mark.parametrize("width", [DESK, PHONE])
def test_exams_hang_as_readers_hang_them(page: Path, browser: Browser, width: int) -> None:
    browser.open(page, width)
    tiles = browser.ask(TILES)
    assert [name for name, *_ in tiles] == ["R CC", "L CC", "R MLO", "L MLO"]
    rcc, lcc, rmlo, lmlo = (dict(zip(("left", "right", "top"), t[1:], strict=True)) for t in tiles)
    for right, left in ((rcc, lcc), (rmlo, lmlo)):
        assert 0 <= left["left"] - right["right"] <= 4  # chest walls together in the middle
        assert right["top"] == left["top"]
    assert rcc["left"] == rmlo["left"]
    assert rmlo["top"] > rcc["top"]
    exams = browser.ask("document.querySelectorAll('.exam').length")
    assert browser.ask(PICTURES) == 8 * exams
    assert exams >= 2


def test_heat_maps_are_beside_on_a_desk_and_behind_a_switch_on_a_phone(
    page: Path, browser: Browser
) -> None:
    browser.open(page, DESK)
    exams = browser.ask("document.querySelectorAll('.exam').length")
    shown = [browser.ask(SHOWN.format(kind)) for kind in ("plain", "heat")]
    assert shown == [exams, exams]
    browser.open(page, PHONE)
    assert [browser.ask(SHOWN.format(kind)) for kind in ("plain", "heat")] == [exams, 0]
    browser.ask("document.querySelector('label[for=heat]').click()")
    assert [browser.ask(SHOWN.format(kind)) for kind in ("plain", "heat")] == [0, exams]


def test_even_a_page_that_was_tampered_with_may_load_nothing(
    page: Path, browser: Browser, tmp_path: Path
) -> None:
    """The page's own policy holds what is put into it, such as a tag in a table of labels."""
    tampered = tmp_path / "tampered.html"
    bait = '<img src="http://127.0.0.1:9/a.png"><script>document.title = "ran"</script>'
    tampered.write_text(page.read_text().replace("</header>", f"{bait}</header>"))
    browser.open(tampered, DESK)
    assert browser.ask("document.title") == "MammoStream demo"
    assert [event["blockedReason"] for event in browser.of("Network.loadingFailed")] == ["csp"]
    refused = [event["entry"]["text"] for event in browser.of("Log.entryAdded")]
    assert len([text for text in refused if "Content Security Policy" in text]) == 2


def test_the_page_is_small(page: Path, browser: Browser, record_evidence: Callable) -> None:
    asked, told = 0, 0
    for width in (DESK, PHONE):
        browser.open(page, width)
        exams = browser.ask("document.querySelectorAll('.exam').length")
        asked += len(asked_of_others(browser, page))
        told += len(browser.of(*MESSAGES))
    facts = {
        "command": "mammo demo --device cpu",
        "browser": browser.send("Browser.getVersion")["product"],
        "bytes": page.stat().st_size,
        "exams": exams,
        "requests": asked,
        "console_messages": told,
    }
    record_evidence("report", facts)
    assert facts["bytes"] <= MOST_BYTES
    assert (asked, told) == (0, 0)
