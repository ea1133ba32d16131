"""Two machines, as far as the network goes, end as two ranks of one machine do."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.evidence.lives import Undisturbed
from tests.evidence.resumed_settings import SETTINGS
from tests.evidence.run_contents import contents, differences, last_weights
from tests.evidence.small_study import write_study
from tests.evidence.training_runs import Study, train_command

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LONGEST_S: Final = 300.0
DEVICE: Final = "mammo0"  # of each namespace, the two ends of one cable
ADDRESSES: Final = ("10.213.7.1", "10.213.7.2")


@pytest.fixture
def namespaces() -> Iterator[tuple[str, str]]:
    """The names of two that see each other and nothing else."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and the program ip (Debian package iproute2)")
    names = f"mammo-{os.getpid()}-a", f"mammo-{os.getpid()}-b"
    try:
        for command in _cable(*names):
            done = subprocess.run(command.split(), capture_output=True, text=True, check=False)
            if done.returncode:
                pytest.skip(f"no rights to `{command}`: {done.stderr.strip()}")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True, check=False)


def _cable(first: str, second: str) -> Iterator[str]:
    yield f"ip netns add {first}"
    yield f"ip netns add {second}"
    yield f"ip -n {first} link add {DEVICE} type veth peer name {DEVICE} netns {second}"
    for name, address in zip((first, second), ADDRESSES, strict=True):
        yield f"ip -n {name} address add {address}/24 dev {DEVICE}"
        yield f"ip -n {name} link set {DEVICE} up"
        yield f"ip -n {name} link set lo up"


def test_two_nodes_end_with_the_weights_of_two_ranks(
    namespaces: tuple[str, str],
    tmp_path: Path,
    full: bool,
    record_evidence: Callable,
) -> None:
    settings = {"epochs": 3 if full else 1, **SETTINGS}
    study, out = write_study(tmp_path, 40 if full else 16, settings), tmp_path / "run"
    nodes = [start_node(number, namespaces[number], study, out) for number in range(2)]
    try:
        said = [node.communicate(timeout=LONGEST_S)[0] for node in nodes]
    finally:
        for node in nodes:
            node.kill()
    assert [node.returncode for node in nodes] == [0, 0], said
    assert differences(contents(out), contents(Undisturbed(study).out(2))) == []
    sent = [bytes_sent(namespace) for namespace in namespaces]
    weights = sum(value.nbytes for value in last_weights(out).values())
    assert min(sent) > weights  # gradients took the cable
    record_evidence("nodes", {"nodes": 2, "bytes_sent": sent, "bytes_of_the_weights": weights})


def start_node(number: int, namespace: str, study: Study, out: Path) -> subprocess.Popen[str]:
    """One machine with one rank; they meet at the first.

    Its name does not lead to its address there, so it has to be told that it is the one.
    """
    launch = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2"]
    launch += ["--nproc-per-node", "1", "--rdzv-backend", "c10d", "--rdzv-id", "nodes"]
    launch += ["--rdzv-endpoint", f"{ADDRESSES[0]}:29400", "--local-addr", ADDRESSES[number]]
    launch += ["--rdzv-conf", f"is_host={int(number == 0)}"]
    return subprocess.Popen(
        ["ip", "netns", "exec", namespace, *launch, "-m", "cli", *train_command(study, out)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "GLOO_SOCKET_IFNAME": DEVICE},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def bytes_sent(namespace: str) -> int:
    """What left a node by its cable."""
    counter = f"/sys/class/net/{DEVICE}/statistics/tx_bytes"
    told = subprocess.run(
        ["ip", "netns", "exec", namespace, "cat", counter],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(told.stdout)
