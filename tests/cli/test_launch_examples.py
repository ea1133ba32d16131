"""The files of configs/launch: they parse, name what there is, and requeue what was pre-empted."""

import os
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from torch.distributed.run import get_args_parser

from cli.resolve import train_layers
from cli.train import command
from dali_pipelines.settings import build
from trainer.journal import write_status
from trainer.settings import TrainSettings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "configs" / "launch"
SCRIPTS = sorted(FOLDER.glob("*.sbatch"))
MANIFESTS = sorted(FOLDER.glob("*.yaml"))
SLURM = {
    "MANIFEST": "train.parquet",
    "RUN": "runs/all",
    "HEAD": "node1",
    "SLURM_JOB_ID": "7",
    "SLURM_JOB_NUM_NODES": "2",
    "SLURM_GPUS_ON_NODE": "8",
    "SLURM_JOB_NODELIST": "node[1-2]",
}


def _words_of_script(path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The words of the command that trains, as Slurm's variables make them."""
    for name, value in SLURM.items():
        monkeypatch.setenv(name, value)
    lines = path.read_text().replace("\\\n", " ").splitlines()
    (line,) = [line for line in lines if " train " in line and not line.startswith("#")]
    return shlex.split(os.path.expandvars(line).rstrip("& "))


def _containers(content: Any) -> list[dict[str, Any]]:
    """The containers anywhere within a Kubernetes object."""
    if isinstance(content, list):
        return [found for item in content for found in _containers(item)]
    if not isinstance(content, dict):
        return []
    inner = [c for value in content.values() for c in _containers(value)]
    return [*content.get("containers", []), *inner]


def _is_understood(words: list[str]) -> None:
    """The command of torchrun or mammo has options that exist, and a file that is there."""
    if "torchrun" in words:
        words = words[words.index("torchrun") + 1 :]
        args = get_args_parser().parse_args(words)
        assert args.module
        assert "SIGUSR1" in args.signals_to_handle
        words = [args.training_script, *args.training_script_args]
    program, name, *rest = words
    assert program in {"mammo", "cli"}
    assert name == "train"
    given = command.make_context("train", rest).params
    settings = train_layers(ROOT / given["config"], given["sets"])
    assert build(TrainSettings, settings)[0].validate == "fold"
    assert given["fold"] == "all"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_the_scripts_of_slurm_parse_and_name_what_there_is(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(["bash", "-n", path], check=True)
    _is_understood(_words_of_script(path, monkeypatch))


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.stem)
def test_the_objects_of_kubernetes_parse_and_name_what_there_is(path: Path) -> None:
    (container,) = _containers(yaml.safe_load(path.read_text()))
    _is_understood(container["command"])
    assert container["resources"]["limits"]["nvidia.com/gpu"] == 8


@pytest.mark.parametrize("path", [*SCRIPTS, *MANIFESTS], ids=lambda path: path.name)
def test_each_opens_with_its_command(path: Path) -> None:
    first = next(line for line in path.read_text().splitlines() if line.startswith("# "))
    assert f"configs/launch/{path.name}" in first


def test_the_job_starts_again_what_was_preempted_and_nothing_that_is_wrong() -> None:
    spec = yaml.safe_load((FOLDER / "kubernetes.yaml").read_text())["spec"]
    rules = spec["podFailurePolicy"]["rules"]
    by_code = {
        code: rule["action"]
        for rule in rules
        for code in rule.get("onExitCodes", {}).get("values", [])
    }
    assert by_code == {75: "Ignore", 2: "FailJob", 3: "FailJob", 4: "FailJob", 5: "FailJob"}
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    (container,) = _containers(spec)
    assert {rule["onExitCodes"]["containerName"] for rule in rules if "onExitCodes" in rule} == {
        container["name"]
    }


@pytest.fixture
def slurm(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """slurm(script, program=...) starts a script where `program` stands in for the training."""
    stand_ins = tmp_path / "bin"
    stand_ins.mkdir()
    (tmp_path / "run").mkdir()

    def write(name: str, text: str) -> None:
        (stand_ins / name).write_text(f"#!/bin/bash\n{text}\n")
        (stand_ins / name).chmod(0o755)

    def start(script: str, **programs: str) -> subprocess.Popen[str]:
        write("scontrol", f'echo "$@" >> {tmp_path}/scontrol.log')
        for name, text in programs.items():
            write(name, text)
        return subprocess.Popen(
            ["bash", FOLDER / script, "train.parquet", tmp_path / "run"],
            env={**os.environ, **SLURM, "PATH": f"{stand_ins}:{os.environ['PATH']}"},
            text=True,
        )

    return start


def _requeued(folder: Path) -> bool:
    log = folder / "scontrol.log"
    return log.exists() and "requeue 7" in log.read_text()


@pytest.mark.parametrize(("code", "again"), [(0, False), (2, False), (75, True)])
def test_one_node_goes_by_the_exit_code(
    slurm: Callable[..., Any], tmp_path: Path, code: int, again: bool
) -> None:
    ended = slurm("slurm-one-node.sbatch", mammo=f"exit {code}").wait(20)
    assert _requeued(tmp_path) == again
    assert ended == (0 if again else code)  # scontrol's own where it is asked


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGTERM])
def test_one_node_hands_the_signal_on_and_waits_for_the_checkpoint(
    slurm: Callable[..., Any], tmp_path: Path, number: signal.Signals
) -> None:
    ready = tmp_path / "ready"
    # a stand-in that saves for a while after it was asked to stop
    job = slurm(
        "slurm-one-node.sbatch",
        mammo=f"trap 'sleep 0.3; exit 75' USR1; touch {ready}; while :; do sleep 0.05; done",
    )
    while not ready.exists():
        time.sleep(0.01)
    job.send_signal(number)
    assert job.wait(20) == 0
    assert _requeued(tmp_path)


@pytest.mark.parametrize(("state", "again"), [("preempted", True), ("failed", False), ("", False)])
def test_several_nodes_go_by_the_state_of_the_run(
    slurm: Callable[..., Any], tmp_path: Path, state: Any, again: bool
) -> None:
    write_status(tmp_path / "run", "preempted")  # of the start before
    write_status(tmp_path, state)
    left = f"cp {tmp_path}/status.json {tmp_path}/run/status.json;" if state else ""
    ended = slurm("slurm.sbatch", srun=f"{left} exit 1").wait(20)
    assert _requeued(tmp_path) == again
    assert ended == (0 if again else 1)
