"""python -m tests.fuzz: mutants until the time is up or the count is reached, and what they did."""

import argparse
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from tests.fuzz.mutants import make_mutant
from tests.fuzz.run import Fuzzer, Tally, run_job

ENDLESS = 1 << 40
ROOT = Path(__file__).parents[2]


def main() -> int:
    options = _parse()
    shared = Path(os.environ.get("MAMMO_SHARED_DATA", ROOT.parent / "shared" / "data"))
    folder = shared if (shared / "README.md").exists() else None
    if options.only is not None:
        return _show(options.seed, options.only, folder, options.keep)
    tally = run_jobs(options, folder)
    print(tally.told(real=folder is not None))
    return 1 if tally.findings else 0


def run_jobs(options: argparse.Namespace, shared: Path | None) -> Tally:
    """The tallies of all jobs in one; job j takes mutants j, j + jobs, ..."""
    count = options.count or ENDLESS
    seconds = options.minutes * 60 if options.minutes else ENDLESS
    jobs = [
        (options.seed, range(j, count, options.jobs), seconds, shared) for j in range(options.jobs)
    ]
    if options.jobs == 1:
        return run_job(*jobs[0])
    total = Tally(options.seed)
    with ProcessPoolExecutor(options.jobs, get_context("spawn")) as pool:
        for tally in pool.map(run_job, *zip(*jobs, strict=True)):
            total.add(tally)
    return total


def _show(seed: int, index: int, shared: Path | None, keep: Path | None) -> int:
    """One mutant again, in words, and its file."""
    with Fuzzer(seed, shared) as fuzzer:
        mutant = make_mutant(fuzzer.corpus, seed, index)
        if keep:
            keep.write_bytes(mutant.data)
        print(
            f"{mutant.seed.name}: {' + '.join(mutant.steps)}, {len(mutant.data)} bytes, "
            f"frames {mutant.frames}"
        )
        for outcome in fuzzer.run_one(mutant):
            print(
                f"  {outcome.code} {outcome.finding} {[record.flags for record in outcome.records]}"
            )
        findings = fuzzer.tally.findings
        print("\n".join(findings) or "no finding")
    return 1 if findings else 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m tests.fuzz", description=__doc__)
    parser.add_argument(
        "--minutes", type=float, help="how long (default: until --count is reached)"
    )
    parser.add_argument(
        "--count", type=int, help="how many mutants (default: 500 without --minutes)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", type=int, help="this one mutant, in words")
    parser.add_argument("--keep", type=Path, help="with --only: write the mutant to this file")
    options = parser.parse_args()
    if options.minutes is None and options.count is None:
        options.count = 500
    return options


if __name__ == "__main__":
    sys.exit(main())
