"""The parts of a run that change what is learned, each through whole runs that are taken up."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from dali_pipelines.manifest import write_manifest
from dali_pipelines.rejects.limits import parse_limit
from tests.trainer.toy_runs import DATA, SETTINGS, same
from trainer.aggregation.policy import Aggregation
from trainer.artifact import load_to_score
from trainer.augment.settings import AugmentSettings
from trainer.augment.texture_settings import MixupSettings
from trainer.checkpoint import load_checkpoint
from trainer.cohort import select_cohort
from trainer.decisions.rules import Rule
from trainer.decisions.threshold import threshold_of
from trainer.losses.settings import LossSettings, TaskSettings
from trainer.networks.settings import ModelSettings
from trainer.optim.averages import average_weights
from trainer.optim.schedule import learning_rate
from trainer.optim.settings import AverageSettings, OptimSettings, SpeedSettings
from trainer.run_folder import AVERAGE, BEST, MODEL, SCORES, epoch_file
from trainer.sampler import epoch_blocks
from trainer.scores.reading import read_predictions

# each by itself: tests/evidence/test_training_options.py
TOGETHER: dict[str, dict[str, Any]] = {
    "focal, mixup, apart, layer decay": {
        "loss": LossSettings(kind="focal"),
        "augment": AugmentSettings(hflip=0.5, mixup=MixupSettings(p=0.8, alpha=0.4)),
        "data": replace(DATA, patients="apart"),
        "optim": OptimSettings(lr=5e-3, layer_decay=0.5),
    },
    "soft-fbeta, draw, bf16, drop path, channels last": {
        "loss": LossSettings(kind="soft-fbeta"),
        "data": replace(DATA, balance="draw"),
        "model": ModelSettings("test_convnext", drop_path=0.2),
        "speed": SpeedSettings(amp="bf16", channels_last=True, checkpointing=True),
    },
}


@pytest.mark.parametrize("name", TOGETHER)
def test_options_together_survive_a_stop(toy_runs: Any, name: str) -> None:
    result = toy_runs.assert_survives(3, **TOGETHER[name])
    assert np.isfinite(result.history[0]["train/loss"])


def test_the_moving_average_is_what_is_validated_and_kept(toy_runs: Any) -> None:
    toy_runs.assert_survives(4, average=AverageSettings(ema=0.9))
    toy_runs("plain")
    last, best = toy_runs.last("whole"), load_checkpoint(toy_runs.folder / "whole" / BEST)
    assert same(best.model, last.ema)
    assert not same(last.ema, last.model)
    assert same(toy_runs.last("plain").model, last.model)  # it plays no part in learning
    oof = [(toy_runs.folder / name / SCORES).read_bytes() for name in ("whole", "plain")]
    assert oof[0] != oof[1]


def _break_block(frame: pd.DataFrame, settings: Any, block: int) -> pd.DataFrame:
    """The manifest with every image of that block of the first epoch, and one more, spoiled."""
    cohort = select_cohort(frame, settings)
    place = settings.data, settings.seed, 0
    blocks = epoch_blocks(cohort.labels, cohort.patients, *place)
    chosen = [*blocks[block], blocks[-1][0]]
    lost = cohort.frame["image_id"].iloc[cohort.train[chosen]]
    spoiled = frame["image_id"].isin(lost)
    return frame.assign(manufacturer=frame["manufacturer"].mask(spoiled, "broken"))


def test_batches_of_a_step_learn_what_one_large_batch_does(
    toy_runs: Any, toy_frame: pd.DataFrame
) -> None:
    """Steps of 3, 3 and 2 batches of 4, or 12, 12 and 8 images; the second batch is lost whole."""
    network = ModelSettings("test_convnext")  # no batch norm
    optim = OptimSettings("sgd", lr=0.1, schedule="constant", warmup_share=0.0, clip_norm=0.0)
    few = replace(DATA, batch=4, positive_share=None)
    changes = {"model": network, "optim": replace(optim, accumulate=3), "data": few}
    write_manifest(_break_block(toy_frame, replace(SETTINGS, **changes), 1), toy_runs.manifest)
    options = {"max_rejects": parse_limit("50%")}
    parts = toy_runs("parts", options=options, **changes)
    assert parts.counts.failed == 5
    at_once = changes | {"optim": optim, "data": replace(few, batch=12)}
    whole = toy_runs("whole", options=options, **at_once)
    assert parts.history[0]["train/loss"] == pytest.approx(whole.history[0]["train/loss"], rel=1e-5)
    assert toy_runs.last("parts").steps == toy_runs.last("whole").steps == 3
    for name, weight in toy_runs.last("parts").model.items():
        torch.testing.assert_close(weight, toy_runs.last("whole").model[name], rtol=0, atol=1e-5)


def test_a_lost_batch_amid_a_step_survives_a_stop(toy_runs: Any, toy_frame: pd.DataFrame) -> None:
    changes = {"optim": OptimSettings(lr=5e-3, accumulate=3), "data": replace(DATA, batch=4)}
    write_manifest(_break_block(toy_frame, replace(SETTINGS, **changes), 4), toy_runs.manifest)
    toy_runs.assert_survives(3, options={"max_rejects": parse_limit("50%")}, **changes)
    weights = toy_runs.last("whole").model
    assert all(torch.isfinite(weight).all() for weight in weights.values())


def test_the_best_epochs_are_kept_and_their_mean_is_scored(toy_runs: Any) -> None:
    changes = {"epochs": 3, "average": AverageSettings(top=2)}
    result = toy_runs.assert_survives(15, **changes)
    folder = toy_runs.folder / "whole"
    figures = [row["val/breast/auroc"] for row in result.history]
    order = sorted(range(3), key=lambda k: (-figures[k], k))
    top = sorted(k + 1 for k in order[:2])
    files = [folder / epoch_file(epoch) for epoch in top]
    assert sorted((folder / "ckpt").glob("epoch-*.pt")) == files
    mean = load_checkpoint(folder / AVERAGE)
    assert same(mean.model, average_weights(load_checkpoint(path).model for path in files))
    assert mean.best["epochs"] == top
    is_better = mean.best["value"] >= max(figures)
    chosen = load_checkpoint(result.checkpoint)
    assert result.checkpoint == folder / (AVERAGE if is_better else BEST)
    assert same(load_to_score(folder / MODEL).model, chosen.model)
    scores = read_predictions(folder / SCORES)
    assert chosen.threshold == threshold_of(scores, "breast", Aggregation(), Rule("f", 1.0))


def test_a_run_ends_where_its_figure_stopped_rising(toy_runs: Any) -> None:
    """The rate falls at each epoch without a rise; the second such one in a row is the last."""
    optim = OptimSettings(lr=1e-3, schedule="plateau", factor=0.5, patience=0, warmup_share=0.0)
    result = toy_runs.assert_survives(15, epochs=12, patience=2, optim=optim)
    figures = [row["val/breast/auroc"] for row in result.history]
    rose = [k == 0 or figures[k] > max(figures[:k]) for k in range(len(figures))]
    assert rose[-3:] == [True, False, False]
    rates = [row["lr"] for row in result.history]
    assert rates == [1e-3 * 0.5 ** rose[:k].count(False) for k in range(len(rose))]


def test_a_frozen_part_thaws_at_its_epoch(toy_runs: Any) -> None:
    """Stopped before and after: epochs are of 7 and 4 batches."""
    optim = OptimSettings(lr=5e-3, frozen=("backbone",), frozen_epochs=1)
    changes = {"epochs": 2, "optim": optim, "average": AverageSettings(top=2)}
    result = toy_runs.assert_survives(3, 14, **changes)
    toy_runs("first", epochs=1, optim=replace(optim, lr=1e-9))  # what it begins with
    start = toy_runs.last("first").model
    after = [load_checkpoint(toy_runs.folder / "whole" / epoch_file(k)).model for k in (1, 2)]
    assert len(result.history) == 2
    for name in set(start) - {"fc.weight", "fc.bias"}:
        assert torch.equal(after[0][name], start[name])  # averages of batch norm too
    assert not torch.equal(after[0]["fc.weight"], start["fc.weight"])
    assert not torch.equal(after[1]["conv1.0.weight"], start["conv1.0.weight"])
    assert not torch.equal(after[1]["bn1.running_mean"], start["bn1.running_mean"])


def test_tasks_learn_from_what_is_known(toy_runs: Any, toy_frame: pd.DataFrame) -> None:
    known = np.arange(64) % 3 == 0
    frame = toy_frame.assign(
        age=pd.array(np.where(known, 60, 0), "Int16"),
        density=np.where(known, "B", ""),
        birads=np.where(known, "2", ""),
    )
    write_manifest(frame, toy_runs.manifest)
    tasks = TaskSettings(age=0.5, density=0.2, birads=0.1)
    mixed = AugmentSettings(mixup=MixupSettings(p=0.5))
    changes = {"loss": LossSettings(tasks=tasks), "augment": mixed}
    result = toy_runs.assert_survives(4, **changes)
    assert np.isfinite(result.history[0]["train/loss"])
    assert toy_runs.last("whole").model["fc.weight"].shape[0] == 1 + 1 + 7 + 4


def test_positives_weigh_as_much_as_negatives(toy_runs: Any) -> None:
    """4 of 32 are positive; a network that says nothing loses log 2 a negative, 7 a positive."""
    still = OptimSettings("sgd", lr=1e-9, warmup_share=0.0)
    changes = {"optim": still, "data": replace(DATA, positive_share=None)}
    auto, given, plain = (
        toy_runs(name, loss=LossSettings(pos_weight=weight), **changes).history[0]["train/loss"]
        for name, weight in (("auto", "auto"), ("given", 7.0), ("plain", 1.0))
    )
    assert auto == given
    assert auto > 1.2 * plain


def test_epochs_of_different_lengths_share_the_rate_of_their_run(toy_runs: Any) -> None:
    """28 negatives by 4 a block, 14 by 4, 14 by 6: 7, 4 and 3 blocks."""
    shares = replace(
        DATA, positive_share=((0, 0.5), (2, 0.25)), keep_negatives=((0, 1.0), (1, 0.5))
    )
    optim = OptimSettings(lr=5e-3, min_lr=1e-3)
    result = toy_runs.assert_survives(13, epochs=3, data=shares, optim=optim)
    assert [row["step"] for row in result.history] == [7, 11, 14]
    rates = [learning_rate(k / 3, optim, 3) for k in (1, 2, 3)]
    assert [row["lr"] for row in result.history] == pytest.approx(rates)


def test_one_unit_of_each_patient_is_shown(toy_runs: Any, toy_frame: pd.DataFrame) -> None:
    one = replace(DATA, batch=4, patients="one", positive_share=None)
    toy_runs.assert_survives(2, data=one)
    toy_runs("again", data=one)
    held_out = set(toy_frame.loc[toy_frame["fold"] == 0, "image_id"])
    shown = [name for name in toy_runs.source.shown if name not in held_out]
    classes = toy_frame.set_index("image_id").loc[shown, ["patient_id", "cancer"]]
    assert len(shown) == 8 + 2  # two patients have images of both classes
    assert not classes.duplicated().any()


def test_rows_of_figures_stand_at_their_blocks(toy_runs: Any) -> None:
    """A run that was stopped in between has the same rows: those beyond its place went."""
    toy_runs.assert_survives(4, log_blocks=3, save_blocks=2)
    text = (toy_runs.folder / "cut-4" / "metrics.jsonl").read_text()
    rows = [json.loads(line) for line in text.splitlines()]
    assert [(row["step"], row.get("block")) for row in rows] == [(3, 3), (6, 6), (7, None)]
