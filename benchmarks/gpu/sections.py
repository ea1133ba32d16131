"""The sections of the GPU report, each in a process of its own.

A fault of the GPU poisons the process that it happens in; so it costs the section, which keeps what
it had found before, and no other.
"""

import argparse
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from benchmarks.gpu.inputs import Inputs, Note
from benchmarks.machine import ROOT

# name -> (module, function, seconds that it may take)
SECTIONS: Final[dict[str, tuple[str, str, int]]] = {
    "gpu": ("facts", "measure", 40),
    "twins": ("twins", "measure", 60),
    "exactness": ("exactness", "measure", 90),
    "loader": ("loader_rates", "measure", 150),
    "kernels": ("kernels", "measure", 60),
    "spr": ("spr", "measure", 60),
    "overlap": ("overlap", "measure", 120),
    "throughput": ("throughput", "measure", 100),
    "memory": ("memory", "measure", 60),
    "ranks": ("ranks", "measure", 100),
    "isolation": ("isolation", "measure", 90),  # the last two may break the GPU's state
    "bare_exactness": ("exactness", "measure_bare", 60),
}
_LAST_WORDS: Final = 300  # characters of a dead section's stderr
Run = Callable[[str, Inputs, Note], None]


def run_section(name: str, inputs: Inputs, note: Note) -> None:
    """Do one section in this process; `note` gets each result when it is there."""
    module, function, _ = SECTIONS[name]
    getattr(importlib.import_module(f"benchmarks.gpu.{module}"), function)(inputs, note)


def record(name: str, inputs: Inputs, out: Path, run: Run = run_section) -> None:
    """Do one section here and keep in `out` what it found, and the error that stopped it."""
    found: dict[str, object] = {}
    start = time.perf_counter()

    def note(key: str, value: object) -> None:
        found[key] = value
        out.write_text(json.dumps(found))

    try:
        run(name, inputs, note)
    except Exception as error:  # noqa: BLE001 - it is the section's result
        note("error", f"{type(error).__name__}: {error}")
    note("seconds", round(time.perf_counter() - start, 1))


def run_apart(name: str, inputs: Inputs, limit_s: float) -> dict[str, Any]:
    """What one section found in a process of its own, with "error" if it did not end well."""
    out = inputs.folder / f"{name}.json"
    arguments = json.dumps(asdict(inputs), default=str)
    command = [sys.executable, "-m", "benchmarks.gpu.sections", name, arguments, str(out)]
    error = ""
    with subprocess.Popen(  # noqa: S603 - our own interpreter
        command,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            _, words = process.communicate(timeout=limit_s)
            if process.returncode:
                error = f"it ended with status {process.returncode}: {words.strip()[-_LAST_WORDS:]}"
        except subprocess.TimeoutExpired:
            error = f"it took more than {limit_s:.0f} s"
            os.killpg(process.pid, signal.SIGKILL)  # and what it started
    found: dict[str, Any] = json.loads(out.read_text()) if out.exists() else {}
    return found | ({"error": error} if error else {})


def _main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=SECTIONS)
    parser.add_argument("inputs", type=json.loads)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    folder, size = Path(options.inputs.pop("folder")), tuple(options.inputs.pop("size"))
    record(options.name, Inputs(folder, size, **options.inputs), options.out)


if __name__ == "__main__":
    _main()
