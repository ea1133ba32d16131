"""Evidence: slow checks whose results are committed. MAMMO_EVIDENCE=ci runs a seeded slice."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.machine import machine_facts

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"


@pytest.fixture(scope="session")
def full() -> bool:
    """Whether all of the evidence is wanted, not the slice of CI."""
    return os.environ.get("MAMMO_EVIDENCE", "full") == "full"


@pytest.fixture
def record_evidence(full: bool) -> Callable[[str, dict[str, Any]], None]:
    """record_evidence(name, facts) writes benchmarks/results/<name>.json, of a full run only."""

    def write(name: str, facts: dict[str, Any]) -> None:
        if full:
            content = {"machine": machine_facts(), **facts}
            (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")

    return write
