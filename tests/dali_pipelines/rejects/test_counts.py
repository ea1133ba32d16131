"""Counts by verdict: the line by hand, and sums that must be the inputs."""

from pathlib import Path

import pytest

from dali_pipelines.rejects.counts import count_verdicts, counted
from dali_pipelines.verdicts import Reason, Reject


def rejects(*reasons: Reason) -> list[Reject]:
    return [Reject("", "", "", "read", reason, "") for reason in reasons]


def test_the_line_by_hand() -> None:
    bad = rejects(*[Reason.MULTIFRAME] * 40, *[Reason.GEOMETRY] * 2, *[Reason.TRUNCATED] * 6)
    counts = count_verdicts(1000, [False] * 940 + [True] * 12, bad)
    assert counts.line(Path("out/train_rejects.csv")) == (
        "1,000 inputs: 940 ok, 12 flagged, 40 skipped (multiframe 40), "
        "8 failed (E_TRUNCATED 6, E_GEOMETRY 2); mammo rejects out/train_rejects.csv explains them"
    )
    assert (counts.skipped, counts.failed, counts.rejected, counts.inputs) == (40, 8, 48, 1000)
    assert counts.to_dict() == {
        "ok": 940,
        "flagged": 12,
        "skipped": 40,
        "failed": 8,
        "codes": {"multiframe": 40, "E_TRUNCATED": 6, "E_GEOMETRY": 2},
    }


def test_nothing_is_said_of_what_did_not_happen() -> None:
    assert count_verdicts(1, [False], []).line(Path("r.csv")) == "1 input: 1 ok"
    assert count_verdicts(0, [], []).line(Path("r.csv")) == "0 inputs: 0 ok"
    line = count_verdicts(2, [True], rejects(Reason.EMPTY)).line(Path("my scan/r.csv"))
    assert line == (
        "2 inputs: 0 ok, 1 flagged, 1 failed (E_EMPTY 1); "
        "mammo rejects 'my scan/r.csv' explains them"
    )


@pytest.mark.parametrize("inputs", [2, 4])
def test_an_input_without_a_verdict_or_with_two_is_a_bug(inputs: int) -> None:
    with pytest.raises(AssertionError, match=f"3 verdicts on {inputs} inputs"):
        count_verdicts(inputs, [False, True], rejects(Reason.EMPTY))


def test_one_is_singular() -> None:
    assert [counted(n, "shard") for n in (0, 1, 2000)] == ["0 shards", "1 shard", "2,000 shards"]
