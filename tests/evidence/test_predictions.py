"""A prediction that dies, again and again and on any ranks, is in the end the same to the byte."""

import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.evidence.prediction_runs import (
    Archive,
    exit_codes,
    finish,
    kept,
    kill_at,
    moments,
    start,
    write_archive,
)
from tests.evidence.shard_runs import files_in

pytestmark = pytest.mark.slow

Bytes = dict[str, bytes]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory, full: bool) -> Archive:
    """Of 200 exams, or 12."""
    return write_archive(tmp_path_factory.mktemp("archive"), 200 if full else 12)


@pytest.fixture(scope="module")
def undisturbed(archive: Archive) -> Bytes:
    """What a prediction that nothing disturbs leaves."""
    finish(archive, _out(archive, "undisturbed"))
    return files_in(_out(archive, "undisturbed").parent)


def _out(archive: Archive, name: str) -> Path:
    return archive.manifest.with_name(name) / "scores.csv"


def test_the_prediction_is_of_all_images_with_rejects_among_them(
    archive: Archive, undisturbed: Bytes
) -> None:
    files = undisturbed
    assert sorted(files) == [
        *("scores.csv", "scores_about.json", "scores_breast.csv", "scores_exam.csv"),
        *("scores_patient.csv", "scores_rejects.csv"),
    ]
    lost = -(-archive.images // 20)
    assert files["scores_rejects.csv"].count(b",failed,E_CHANGED,") == lost
    assert files["scores.csv"].count(b"\n") == archive.images - lost + 1


def test_killed_again_and_again(
    archive: Archive,
    undisturbed: Bytes,
    full: bool,
    record_evidence: Callable[[str, dict[str, Any]], None],
) -> None:
    """On one rank, and with ranks that come and go, of which one or all are killed."""
    wanted = undisturbed
    alone, together = _out(archive, "alone"), _out(archive, "together")
    told: dict[str, list[int | None]] = {"one_rank": [], "one_or_two_ranks": []}
    for rows, delay_s in moments(1, archive.blocks, 12 if full else 2):
        told["one_rank"].append(kill_at(archive, alone, 1, [0], rows, delay_s))
    lives = [(2, [1]), (1, [0]), (2, [0, 1]), (2, [0]), (1, [0])] if full else [(2, [1])]
    for (ranks, victims), (rows, delay_s) in zip(
        lives, moments(2, archive.blocks, len(lives)), strict=True
    ):
        told["one_or_two_ranks"].append(kill_at(archive, together, ranks, victims, rows, delay_s))
    finish(archive, alone)
    finish(archive, together, ranks=2)
    for out in (alone, together):
        found = files_in(out.parent)
        assert found.keys() == wanted.keys()
        assert [name for name in wanted if found[name] != wanted[name]] == []
    met = {name: [blocks for blocks in found if blocks is not None] for name, found in told.items()}
    assert all(met.values())
    assert all(sorted(found) == found for found in met.values()), "what was kept was lost"
    record_evidence(
        "predictions",
        {
            "exams": archive.images // 4,
            "images": archive.images,
            "checkpoints": len(archive.checkpoints),
            "recipes": 2,
            "blocks": archive.blocks,
            "blocks_kept_at_each_kill": met,
            "files_equal_to_the_byte": sorted(wanted),
        },
    )


def test_two_ranks_that_nothing_disturbs(archive: Archive, undisturbed: Bytes, full: bool) -> None:
    if not full:
        pytest.skip("the slice ends one prediction on two ranks")
    out = _out(archive, "two")
    finish(archive, out, ranks=2)
    assert files_in(out.parent) == undisturbed


def test_asked_to_end_it_leaves_with_75_and_goes_on(archive: Archive, undisturbed: Bytes) -> None:
    out = _out(archive, "asked")
    process = start(archive, out)[0]
    while kept(out) < 2:
        assert process.is_alive()
        time.sleep(0.002)
    assert process.pid is not None
    process.terminate()
    assert exit_codes([process]) == [75]
    assert 2 <= kept(out) < archive.blocks
    assert not out.exists()
    finish(archive, out)
    assert files_in(out.parent) == undisturbed
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
