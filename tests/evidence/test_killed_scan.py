"""A scan that was killed, run again, gives the manifest of one that was not."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from dali_pipelines.phantom.exams import write_phantoms
from dali_pipelines.phantom.patients import PhantomSettings

ROOT = Path(__file__).parents[2]


def scan(folder: Path, manifest: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "cli", "-q", "scan", str(folder), "-O", str(manifest)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )


def wait_for_the_end_of(session: int) -> None:
    """Until no process of it is left: its workers end with the scan, which alone was killed."""
    end = time.monotonic() + 20
    while True:
        try:
            os.killpg(session, 0)
        except ProcessLookupError:
            return
        assert time.monotonic() < end, "workers outlive a scan that was killed"
        time.sleep(0.01)


@pytest.mark.slow
def test_a_killed_scan_run_again_gives_the_same_manifest(tmp_path: Path, full: bool) -> None:
    exams = write_phantoms(
        tmp_path / "exams", PhantomSettings(patients=100 if full else 25, height=128, width=104)
    )
    whole = tmp_path / "whole" / "manifest.parquet"
    whole.parent.mkdir()
    assert scan(exams.images, whole).wait() == 0
    moments = np.random.default_rng(1).uniform(0.3, 3.0, 20 if full else 4)
    for k, moment in enumerate(moments):
        again = tmp_path / f"again{k}" / "manifest.parquet"
        again.parent.mkdir()
        (again.parent / "manifest.key").write_bytes(whole.with_suffix(".key").read_bytes())
        process = scan(exams.images, again)
        time.sleep(moment)
        process.kill()
        process.wait()
        wait_for_the_end_of(process.pid)
        assert scan(exams.images, again).wait() == 0
        assert again.read_bytes() == whole.read_bytes()
        assert sorted(path.name for path in again.parent.iterdir()) == sorted(
            path.name for path in whole.parent.iterdir()
        )
