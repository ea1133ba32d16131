"""What ranks that died had on their GPU: who is told of it, and how long it is remembered."""

from pathlib import Path
from typing import Any

import pytest
import torch

from dali_pipelines.in_flight import InFlight, read_ids
from trainer.distributed import World
from trainer.doubted import note_in_flight
from trainer.run_folder import DOUBTED, IN_FLIGHT

ALONE = World(0, 1, 1, torch.device("cpu"))


class _Source:
    """A source with a GPU."""

    rejects: tuple[()] = ()

    def run(self, blocks: Any) -> Any:
        raise NotImplementedError

    def note_in_flight(self, in_flight: InFlight) -> None:
        self.doubted = in_flight.doubted


def _die(folder: Path, **ranks: str) -> None:
    """Leave what ranks leave that die with those ids on their GPU."""
    (folder / IN_FLIGHT).mkdir(exist_ok=True)
    for rank, ids in ranks.items():
        (folder / IN_FLIGHT / f"rank-{rank[1:]}.txt").write_text(ids.replace(" ", "\n"))


def _doubted(folder: Path) -> set[str]:
    source: Any = _Source()
    note_in_flight(source, folder, ALONE)
    return set(source.doubted)


def test_images_of_all_ranks_that_died_stay_in_doubt(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "mammo")
    assert _doubted(tmp_path) == set()
    assert not (tmp_path / IN_FLIGHT).exists()  # nothing is written without need
    _die(tmp_path, r0="a b", r1="c")
    assert _doubted(tmp_path) == {"a", "b", "c"}
    assert "3 images were on their way through a GPU" in caplog.text
    assert [path.name for path in (tmp_path / IN_FLIGHT).iterdir()] == [Path(DOUBTED).name]
    _die(tmp_path, r0="d")
    assert _doubted(tmp_path) == {"a", "b", "c", "d"}
    assert _doubted(tmp_path) == read_ids(tmp_path / IN_FLIGHT) == {"a", "b", "c", "d"}


def test_a_run_that_is_taken_up_keeps_them_off_the_gpu(toy_runs: Any) -> None:
    told = []
    assert toy_runs("run", stop_at=3).state == "preempted"
    _die(toy_runs.folder / "run", r0="p00LMLO", r3="p07RCC")
    source = type(toy_runs.source)
    source.note_in_flight = lambda _, noted: told.append(noted.doubted)
    try:
        assert toy_runs("run").state == "done"
        toy_runs("run", options={"resume": "no"})
    finally:
        del source.note_in_flight
    assert told == [{"p00LMLO", "p07RCC"}, set()]
    assert not read_ids(toy_runs.folder / "run" / IN_FLIGHT)
