"""How long `mammo --help` takes, against a Python that does nothing.

Run: python -m benchmarks.startup [--repeats 30]
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.machine import ROOT, machine_facts

RESULT: Final = Path(__file__).parent / "results" / "startup.json"
COMMANDS: Final[dict[str, tuple[str, ...]]] = {
    "python -c pass": ("-c", "pass"),
    "mammo --help": ("-m", "cli", "--help"),
    "mammo doctor --help": ("-m", "cli", "doctor", "--help"),
}


def time_command(arguments: Sequence[str], repeats: int) -> list[float]:
    """Wall seconds of each of `repeats` runs, after one that warms the file cache."""
    times_s = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        subprocess.run(  # noqa: S603 - our own interpreter
            [sys.executable, *arguments], cwd=ROOT, stdout=subprocess.DEVNULL, check=True
        )
        times_s.append(time.perf_counter() - start)
    return times_s[1:]


def summarize(times_s: Sequence[float]) -> dict[str, float]:
    """Median and quartiles in seconds, to the millisecond."""
    low, middle, high = statistics.quantiles(times_s, n=4)
    return {"median_s": round(middle, 3), "q1_s": round(low, 3), "q3_s": round(high, 3)}


def measure(repeats: int) -> dict[str, Any]:
    """The whole result, ready for JSON."""
    timings = {name: summarize(time_command(args, repeats)) for name, args in COMMANDS.items()}
    return {"machine": machine_facts(), "repeats": repeats, "timings": timings}


def main() -> None:
    """Measure, write benchmarks/results/startup.json, print one line for each command."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--out", type=Path, default=RESULT)
    options = parser.parse_args()
    result = measure(options.repeats)
    options.out.write_text(json.dumps(result, indent=2) + "\n")
    for name, timing in result["timings"].items():
        print(
            f"{name:<20} {timing['median_s']:.3f} s  [{timing['q1_s']:.3f}, {timing['q3_s']:.3f}]"
        )


if __name__ == "__main__":
    main()
