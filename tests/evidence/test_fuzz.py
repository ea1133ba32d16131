"""Mutated files end as one verdict each, and harm neither the run nor the files between them."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzz.run import run_apart

ROOT = Path(__file__).parents[2]
SEED = 8
SLICE, ALL = 500, 100_000


@pytest.mark.slow
def test_no_mutated_file_stops_the_run_or_gives_a_wrong_picture(
    shared_data: Path,
    full: bool,
    record_evidence: Callable,
    capsys: pytest.CaptureFixture[str],
) -> None:
    count = ALL if full else SLICE
    tally = run_apart(SEED, range(count), shared_data)
    with capsys.disabled():
        sys.stdout.write(f"\n{tally.told(real=True)}\n")
    record_evidence(
        "fuzz",
        {
            "mutants": tally.count,
            "seed": tally.seed,
            "seconds": round(tally.seconds, 1),
            "verdicts": dict(tally.verdicts.most_common()),
            "changes": dict(tally.steps.most_common()),
            "sound files in between, all as ever": tally.good,
            "cost a child": tally.costly,
            "findings": tally.findings,
            "peak bytes": tally.peak_bytes,
            "peak bytes of the child": tally.peak_child_bytes,
        },
    )
    assert tally.findings == []
    assert tally.count == count
    assert sum(tally.verdicts.values()) >= count


@pytest.mark.slow
def test_jobs_share_the_mutants(tmp_path: Path) -> None:
    """The command line, on phantoms alone."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--count", "40", "--jobs", "2", "--seed", "3"],
        cwd=ROOT,
        env={**os.environ, "MAMMO_SHARED_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("40 mutants, seed 3, of phantoms\n")
    assert "findings: 0" in done.stdout
