import torch

from benchmarks.train_overhead import TINY, Case, bare_steps, measure, trainer_steps
from trainer.distributed import World

CASE = Case(*TINY, 2, World(0, 1, 1, torch.device("cpu")))


def test_both_take_one_step_an_item() -> None:
    assert len(list(trainer_steps(CASE, 3))) == 3
    bare = bare_steps(CASE)
    assert [next(bare) for _ in range(3)] == [None] * 3


def test_what_the_trainer_adds_is_told_as_time_and_as_share() -> None:
    row = measure(CASE, turns=2, steps=1)
    for clock in ("", "cpu_"):
        trainer, bare = (row[f"{clock}{name}_ms"]["median"] for name in ("trainer", "bare"))
        assert min(trainer, bare) > 0
        assert abs(row[f"{clock}added_ms"] - (trainer - bare)) < 0.01 * (trainer + bare)
        assert abs(row[f"{clock}added_share"] - (trainer / bare - 1)) < 0.01
    assert (row["model"], row["size"], row["batch"]) == ("test_resnet", [32, 32], 2)
