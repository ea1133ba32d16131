import dataclasses

import pandas as pd
import pytest

from dali_pipelines.errors import ConfigError, DatasetError
from trainer.cohort import select_cohort
from trainer.sampling_settings import DataSettings
from trainer.settings import TrainSettings


def _settings(**values: object) -> TrainSettings:
    return dataclasses.replace(TrainSettings(), **values)  # type: ignore[arg-type]


def test_the_held_out_fold_validates_and_the_others_train(toy_frame: pd.DataFrame) -> None:
    cohort = select_cohort(toy_frame.sample(frac=1, random_state=1), _settings(fold=1))
    assert cohort.frame["image_id"].is_monotonic_increasing
    members = cohort.units.members[:, 0]
    assert set(cohort.frame["fold"].iloc[members[cohort.held_out]]) == {1}
    assert set(cohort.frame["fold"].iloc[members[cohort.train]]) == {0}
    assert len(cohort.train) == len(cohort.held_out) == 32
    assert cohort.labels.sum() == 4
    assert cohort.prior == 4 / 32
    everything = select_cohort(toy_frame, _settings(validate="none", fold=9))
    assert (len(everything.train), len(everything.held_out)) == (64, 0)


def test_the_fingerprint_is_of_images_labels_and_folds(toy_frame: pd.DataFrame) -> None:
    first = select_cohort(toy_frame, _settings()).fingerprint
    shuffled = toy_frame.sample(frac=1, random_state=1)
    assert select_cohort(shuffled, _settings()).fingerprint == first
    relabeled = toy_frame.assign(cancer=toy_frame["cancer"].where(toy_frame.index != 5, 1))
    assert select_cohort(relabeled, _settings()).fingerprint != first
    assert select_cohort(toy_frame.iloc[:-1], _settings()).fingerprint != first
    images = toy_frame.assign(sha256=[f"{i:064d}" for i in range(64)])
    known = select_cohort(images, _settings()).fingerprint
    moved = images.assign(mtime_ns=9)
    assert select_cohort(moved, _settings()).fingerprint == known
    repacked = images.assign(sha256=images["sha256"].where(images.index != 5, "f" * 64))
    assert select_cohort(repacked, _settings()).fingerprint != known
    for column in ("file_size", "mtime_ns"):  # all there is to tell by without a hash
        unhashed = toy_frame.assign(sha256="")
        changed = unhashed.assign(**{column: unhashed[column] + (unhashed.index == 5)})
        assert (
            select_cohort(changed, _settings()).fingerprint
            != select_cohort(unhashed, _settings()).fingerprint
        )
    swapped = toy_frame.assign(fold=1 - toy_frame["fold"])
    assert select_cohort(swapped, _settings()).fingerprint != first


def test_images_without_a_label_stop_the_run_unless_dropped(toy_frame: pd.DataFrame) -> None:
    partly = toy_frame.assign(cancer=toy_frame["cancer"].where(toy_frame.index > 2))
    with pytest.raises(DatasetError, match=r"3 of 64 images have no label.*unlabeled=drop"):
        select_cohort(partly, _settings())
    dropping = _settings(data=DataSettings(unlabeled="drop"))
    assert len(select_cohort(partly, dropping).frame) == 61


def test_a_patient_in_two_folds_is_refused(toy_frame: pd.DataFrame) -> None:
    leaking = toy_frame.assign(fold=toy_frame["fold"].where(toy_frame.index != 0, 1))
    with pytest.raises(DatasetError, match="1 patients"):
        select_cohort(leaking, _settings())


def test_what_is_missing_is_said(toy_frame: pd.DataFrame) -> None:
    for frame in (
        toy_frame.drop(columns="cancer"),
        toy_frame.assign(cancer=pd.array([None] * 64, dtype="Int8")),
    ):
        with pytest.raises(DatasetError, match=r"no labels.*--labels"):
            select_cohort(frame, _settings())
    for frame in (
        toy_frame.drop(columns="fold"),
        toy_frame.assign(fold=toy_frame["fold"].where(toy_frame.index > 3)),
    ):
        with pytest.raises(DatasetError, match=r"without a fold.*mammo split"):
            select_cohort(frame, _settings())
    with pytest.raises(ConfigError, match="no fold 7; it has folds 0, 1"):
        select_cohort(toy_frame, _settings(fold=7))
    with pytest.raises(DatasetError, match="must hold 0 or 1"):
        select_cohort(toy_frame.assign(cancer=3), _settings())


@pytest.mark.parametrize("only", [0, 1])
def test_one_class_cannot_be_learned(toy_frame: pd.DataFrame, only: int) -> None:
    labels = toy_frame["cancer"].where(toy_frame["fold"] == 0, only)
    with pytest.raises(DatasetError, match=f"{32 * only} with it among 32"):
        select_cohort(toy_frame.assign(cancer=labels), _settings(fold=0))
