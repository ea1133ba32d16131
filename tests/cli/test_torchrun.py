"""Two ranks through torchrun from a bare checkout: `torchrun -m cli`."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def torchrun(*args: str) -> subprocess.CompletedProcess[str]:
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    return subprocess.run(
        [*launch, "-m", "cli", *args], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_both_ranks_run_the_command() -> None:
    result = torchrun("config", "recipes", "--json")
    assert result.returncode == 0
    first, end = json.JSONDecoder().raw_decode(result.stdout)
    assert json.loads(result.stdout[end:]) == first
    assert "demo" in {recipe["name"] for recipe in first}


@pytest.mark.slow
def test_a_mistake_ends_both_ranks_with_its_sentence() -> None:
    result = torchrun("config", "show", "--recipe", "dem")
    assert result.returncode != 0
    assert "error: no recipe 'dem'. Did you mean 'demo'?" in result.stderr
    assert "exitcode  : 2" in result.stderr
