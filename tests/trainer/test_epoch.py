import threading
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dali_pipelines.errors import CheckpointError, ConfigError
from dali_pipelines.plan import Blocks, sequential_blocks
from dali_pipelines.records import ImageRecord
from trainer.distributed import World
from trainer.epoch import Lesson, Pass, Step, train_pass
from trainer.learner import Learner
from trainer.losses.loss import build_loss
from trainer.losses.settings import LossSettings
from trainer.optim.optimizers import build_optimizer
from trainer.optim.settings import OptimSettings
from trainer.optim.speed import build_scaler
from trainer.sampling_settings import DataSettings
from trainer.scoring import collect, score_pass
from trainer.settings import TrainSettings
from trainer.step import fill_empty_slots
from trainer.tally import Tally
from trainer.units import Units

ALONE = World(0, 1, 1, torch.device("cpu"))
LABELS = np.arange(64) % 2


@pytest.fixture
def learner() -> Learner:
    torch.manual_seed(0)
    conv = nn.Conv2d(1, 4, 5, bias=False)  # a bias before batch norm has only noise for gradient
    model = nn.Sequential(conv, nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(3136, 1))
    settings = TrainSettings(optim=OptimSettings(lr=0.01), data=DataSettings(batch=4))
    return Learner(
        model=model,
        parallel=model,
        optimizer=build_optimizer(model, settings.optim),
        loss=build_loss(LossSettings(), 1.0),
        settings=settings,
        world=ALONE,
        stop=threading.Event(),
        scaler=build_scaler(ALONE.device, "off"),
    )


def _pass(learner: Learner, source: Any, blocks: Blocks, at: Pass) -> Iterator[Step]:
    units = Units(np.arange(64)[:, None], LABELS, np.arange(64))
    targets = torch.from_numpy(LABELS.astype(np.float32))[:, None]
    return train_pass(learner, source, Lesson(0, blocks, units, targets), at)


def _weights(learner: Learner) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in learner.model.state_dict().items()}


def _same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture
def source(toy_records: Sequence[ImageRecord], fake_source: Any) -> Any:
    return fake_source(toy_records, None, None)


def test_empty_slots_get_copies_of_valid_ones() -> None:
    images = torch.arange(6.0).reshape(6, 1, 1, 1)
    valid = torch.tensor([False, True, False, True, False, False])
    filled = fill_empty_slots(images, valid).flatten().tolist()
    assert filled[1] == 1
    assert filled[3] == 3
    assert set(filled) == {1.0, 3.0}
    assert torch.equal(fill_empty_slots(images, torch.ones(6, dtype=torch.bool)), images)


def test_a_pass_counts_blocks_and_units(learner: Learner, source: Any) -> None:
    blocks = sequential_blocks(10, 4)
    steps = list(_pass(learner, source, blocks, Pass(0, 0)))
    assert [(s.blocks, s.units, s.stop) for s in steps] == [
        (1, 4, False),
        (2, 4, False),
        (3, 2, False),
    ]
    loss, units = learner.tally.values()
    assert loss > 0
    assert units == 10


def test_padding_never_changes_what_is_learned(learner: Learner, source: Any) -> None:
    """Placeholders are zero images: with them in batch norm the averages would differ."""
    before = _weights(learner)
    list(_pass(learner, source, np.array([[5, 5, 5, 5]]), Pass(0, 0)))
    padded = _weights(learner)
    learner.model.load_state_dict(before)
    learner.optimizer.state.clear()
    list(_pass(learner, source, np.array([[-1, 5, -1, -1]]), Pass(0, 0)))
    assert not _same(before, padded)
    for name, value in _weights(learner).items():
        torch.testing.assert_close(value, padded[name])


def test_a_batch_without_any_sample_changes_nothing(learner: Learner, source: Any) -> None:
    before = _weights(learner)
    empty = np.full((2, 4), -1)
    steps = list(_pass(learner, source, empty, Pass(0, 0)))
    assert [s.units for s in steps] == [0, 0]
    assert learner.tally.values().tolist() == [0, 0]
    assert _same(_weights(learner), before)
    assert learner.steps == 0


def test_a_wish_to_stop_is_seen_with_the_next_step(learner: Learner, source: Any) -> None:
    steps = _pass(learner, source, sequential_blocks(12, 4), Pass(0, 0))
    assert not next(steps).stop
    learner.stop.set()
    assert next(steps).stop


def test_a_pass_taken_up_in_the_middle_learns_the_same(learner: Learner, source: Any) -> None:
    learner.model.insert(3, nn.Dropout(0.5))  # type: ignore[operator]
    blocks = sequential_blocks(16, 4)
    start, state = _weights(learner), learner.optimizer.state_dict()
    list(_pass(learner, source, blocks, Pass(4, 0)))
    whole = _weights(learner)

    learner.model.load_state_dict(start)
    learner.optimizer.load_state_dict(state)
    steps = _pass(learner, source, blocks, Pass(4, 0))
    consumed = [next(steps).blocks, next(steps).blocks][-1]
    torch.manual_seed(99)  # as another process would be
    list(_pass(learner, source, blocks, Pass(4, consumed)))
    assert _same(_weights(learner), whole)


def test_a_loss_that_is_no_number_ends_the_run(learner: Learner, source: Any) -> None:
    with torch.no_grad():
        next(learner.model.parameters()).fill_(float("nan"))
    with pytest.raises(ConfigError, match=r"loss became nan.*optim\.lr"):
        list(_pass(learner, source, sequential_blocks(4, 4), Pass(0, 0)))
    learner.tally = Tally(ALONE.device)
    with pytest.raises(CheckpointError, match="not numbers"):
        list(score_pass(learner.model, source, sequential_blocks(4, 4), ALONE))


def test_each_image_is_scored_once_and_rejected_ones_not(
    learner: Learner, toy_records: list[ImageRecord], fake_source: Any, toy_frame: Any
) -> None:
    source = fake_source(toy_records, None, None)
    source._rejects[3] = "broken before"
    logits = collect(score_pass(learner.model, source, sequential_blocks(10, 4), ALONE), 12, ALONE)
    assert np.flatnonzero(np.isnan(logits)).tolist() == [3, 10, 11]
    alone = collect(score_pass(learner.model, source, np.array([[7]]), ALONE), 12, ALONE)
    assert alone[7] == pytest.approx(logits[7], abs=1e-5)  # whatever shares its batch
    assert not learner.model.training


def test_an_image_scored_twice_is_noticed() -> None:
    twice = [(np.array([1, 2]), np.zeros(2)), (np.array([2]), np.zeros(1))]
    with pytest.raises(AssertionError, match="scored twice"):
        collect(twice, 4, ALONE)
