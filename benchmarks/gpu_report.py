"""All that is to be known of the GPU path, on the machine at hand, in one JSON document.

Run: python -m benchmarks.gpu_report [--out FILE] [--only SECTION ...] [--quick] [--json]

It makes its own images, synthetic mammograms of 13.6 MP, and takes up to 8 minutes on an H100 with
16 cores. A section that fails says so in the document; the others go on. Without a GPU the exit
code is 4.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from benchmarks.gpu.inputs import Inputs, make_images
from benchmarks.gpu.sections import SECTIONS, run_apart
from benchmarks.gpu.targets import judge_all
from benchmarks.machine import ROOT, machine_facts
from benchmarks.target import target_line
from dali_pipelines.cores import core_count
from dali_pipelines.errors import DeviceError, MammoError
from dali_pipelines.steps import choose_device

RESULT: Final = ROOT / "benchmarks" / "results" / "gpu_report.json"
BUDGET_S: Final = 480.0  # for all; what is left of it is a section's limit, if less than its own
RunApart = Callable[[str, Inputs, float], dict[str, Any]]


def run(
    inputs: Inputs,
    names: Sequence[str],
    on_section: Callable[[dict[str, Any]], object],
    run_one: RunApart = run_apart,
    budget_s: float = BUDGET_S,
) -> dict[str, Any]:
    """The document; `on_section` gets it as it stands after each section."""
    start = time.perf_counter()
    make_images(inputs)
    document: dict[str, Any] = {
        "machine": machine_facts(),
        "settings": {"size": list(inputs.size), "quick": inputs.quick, "threads": inputs.threads},
        "images_made_s": round(time.perf_counter() - start, 1),
        "sections": {},
    }
    for name in names:
        left_s = budget_s - (time.perf_counter() - start)
        if left_s > 0:
            found = run_one(name, inputs, min(left_s, SECTIONS[name][2]))
        else:
            found = {"error": f"no time is left of {budget_s:.0f} s; run it with --only"}
        document["sections"][name] = found
        document["targets"] = judge_all(document["sections"])
        on_section(document)
    return document


def lines(document: dict[str, Any]) -> Iterator[str]:
    """The table of targets, then the sections that failed."""
    yield from map(target_line, document["targets"])
    for name, found in document["sections"].items():
        if "error" in found:
            yield f"{name} failed: {found['error']}"


def main() -> None:
    """Measure, write the document after each section, print the table or the document."""
    options = _parse()
    _require_gpu()
    names = options.only or list(SECTIONS)

    def save(document: dict[str, Any]) -> None:
        options.out.write_text(json.dumps(document, indent=2) + "\n")
        name, found = list(document["sections"].items())[-1]
        state = found.get("error", f"{found.get('seconds')} s")
        print(f"{name}: {state}", file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        inputs = Inputs(Path(folder), threads=core_count(), quick=options.quick)
        document = run(inputs, names, save, budget_s=options.seconds)
    print(json.dumps(document, indent=2) if options.json else "\n".join(lines(document)))


def _require_gpu() -> None:
    try:
        choose_device("gpu")
    except DeviceError as error:
        reason = str(error).partition(";")[0]
        raise DeviceError(f"the GPU report needs a GPU: {reason}") from error


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--out", type=Path, default=RESULT)
    parser.add_argument("--only", nargs="+", choices=SECTIONS, metavar="SECTION")
    parser.add_argument("--quick", action="store_true", help="half the images, fewer repeats")
    parser.add_argument("--seconds", type=float, default=BUDGET_S, help="for all sections")
    parser.add_argument("--json", action="store_true", help="print the document")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        main()
    except MammoError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(error.exit_code) from None
