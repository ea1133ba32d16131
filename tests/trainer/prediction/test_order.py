from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from torch import nn

from dali_pipelines.errors import ConfigError
from dali_pipelines.recipe import Recipe
from trainer.cohort import fingerprint_of, select_cohort
from trainer.prediction.order import every_member, out_of_fold
from trainer.prediction.scorers import Scorer, Scorers
from trainer.prediction.trained_on import count_trained_on, trained_on, warn_of_training
from trainer.settings import TrainSettings
from trainer.units import build_units

MEMBER = Scorer(nn.Identity(), Recipe("toy"), data="d")


def _scorers(*held_out: int | None) -> Scorers:
    return Scorers(tuple(replace(MEMBER, held_out=fold) for fold in held_out))


def test_blocks_of_all_members_hold_each_unit_once(toy_frame: pd.DataFrame) -> None:
    order = every_member(build_units(toy_frame[:10], "breast"), batch=2, members=3)
    assert order.blocks.tolist() == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, -1, -1]]
    assert order.members.all()
    assert order.members.shape == (3, 3)


def test_out_of_fold_blocks_are_of_one_fold_and_of_the_members_that_held_it_out(
    toy_frame: pd.DataFrame,
) -> None:
    frame = toy_frame.iloc[
        10:22
    ]  # patients 2 to 5: folds 0, 0, 1, 1; of the first the right breast
    order = out_of_fold(frame, "d", build_units(frame, "image"), 4, _scorers(1, 0, 0))
    assert order.blocks.tolist() == [[0, 1, 2, 3], [4, 5, -1, -1], [6, 7, 8, 9], [10, 11, -1, -1]]
    assert order.members.tolist() == [[False, True, True]] * 2 + [[True, False, False]] * 2


def test_out_of_fold_needs_a_member_of_this_manifest_for_every_fold(
    toy_frame: pd.DataFrame,
) -> None:
    units = build_units(toy_frame, "image")
    with pytest.raises(ConfigError, match="no member held out fold 1"):
        out_of_fold(toy_frame, "d", units, 4, _scorers(0))
    with pytest.raises(ConfigError, match="number 2 did not"):
        out_of_fold(toy_frame, "d", units, 4, _scorers(0, None))
    with pytest.raises(ConfigError, match="number 1 did not"):
        out_of_fold(toy_frame, "other", units, 4, _scorers(0, 1))
    with pytest.raises(ConfigError, match="needs a manifest with a fold"):
        out_of_fold(toy_frame.drop(columns="fold"), "d", units, 4, _scorers(0, 1))
    empty = toy_frame[:0]
    order = out_of_fold(empty, "d", build_units(empty, "image"), 4, _scorers(0))
    assert order.blocks.shape == (0, 4)


def test_the_fingerprint_of_a_manifest_is_that_of_a_run_on_it(toy_frame: pd.DataFrame) -> None:
    fingerprint = fingerprint_of(toy_frame)
    assert fingerprint == select_cohort(toy_frame, TrainSettings(fold=0)).fingerprint
    assert fingerprint == select_cohort(toy_frame, TrainSettings(fold=1)).fingerprint
    assert fingerprint_of(toy_frame.drop(columns="cancer")) is None
    assert fingerprint_of(toy_frame.assign(fold=pd.NA)) is None
    assert fingerprint_of(toy_frame[1:]) != fingerprint


def test_images_that_a_member_learned_from_are_told(
    toy_frame: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    in_first = (toy_frame["fold"] == 0).to_numpy()
    for folds, wanted in (
        ((0,), ~in_first),
        ((1,), in_first),
        ((0, 1), np.ones(64, bool)),
        ((None,), np.ones(64, bool)),
    ):
        assert (trained_on(toy_frame, "d", _scorers(*folds)) == wanted).all()
    assert not trained_on(toy_frame, "other", _scorers(None)).any()
    assert not trained_on(toy_frame, None, _scorers(None)).any()
    unlabeled = toy_frame.assign(cancer=toy_frame["cancer"].mask(in_first))
    assert (trained_on(unlabeled, "d", _scorers(None)) == ~in_first).all()
    warn_of_training(toy_frame[in_first], "d", _scorers(0))
    assert caplog.text == ""
    warn_of_training(toy_frame, "d", _scorers(0))
    assert "32 of 64 images were trained on" in caplog.text


def test_images_of_another_manifest_may_have_been_learned_from(
    toy_frame: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "mammo.predict")
    in_first = toy_frame[toy_frame["fold"] == 0]
    stranger = replace(MEMBER, data="other")
    mixed = Scorers((*_scorers(0).members, stranger))
    assert count_trained_on(in_first, "d", _scorers(0)) == 0
    assert count_trained_on(toy_frame, "d", _scorers(0)) == 32
    assert count_trained_on(in_first, "d", mixed) is None
    assert count_trained_on(toy_frame, "d", mixed) == 32  # whatever else the other has seen
    assert count_trained_on(toy_frame, None, _scorers(None)) is None
    warn_of_training(in_first, "d", _scorers(0))
    assert caplog.text == ""
    warn_of_training(in_first, "d", mixed)
    assert caplog.text.count("whether images were trained on cannot be told") == 1
