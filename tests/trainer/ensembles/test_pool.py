from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dali_pipelines.errors import DatasetError
from trainer.ensembles.candidates import find_candidates
from trainer.ensembles.pool import Pool, build_pool

Runs = Callable[..., list[Path]]


def pool_of(runs: list[Path]) -> Pool:
    return build_pool(find_candidates(runs))


def change(path: Path, edit: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    edit(pd.read_csv(path, dtype=str, keep_default_na=False)).to_csv(path, index=False)


def test_each_image_has_the_logits_of_those_that_held_its_fold_out(runs: Runs) -> None:
    folders = runs([1.0, 0.0])
    change(folders[1] / "fold-2/oof.csv", lambda table: table[::-1])  # the order plays no part
    pool = pool_of(folders)
    assert pool.folds.tolist() == [0, 1, 2, 0, 1, 2]
    for column, candidate in enumerate(find_candidates(folders)):
        known = candidate.scores.set_index("image_id")["logit"]
        wanted = pool.images["image_id"].map(known).to_numpy(np.float64)
        np.testing.assert_array_equal(pool.logits[:, column], wanted)
    assert len(pool.images) == 120 * 4
    assert not {"prob", "logit", "recipe_hash"} & set(pool.images.columns)
    assert pool.lost == 0


def test_an_image_that_one_run_lost_is_left_out_of_all(runs: Runs) -> None:
    first, second = runs([1.0, 0.0])
    lost = pd.read_csv(first / "fold-0/oof.csv")["image_id"].iloc[[3, 8]].to_list()
    change(first / "fold-0/oof.csv", lambda table: table.drop(index=[3, 8]))
    pool = pool_of([first, second])
    assert pool.lost == 2
    assert not pool.images["image_id"].isin(lost).any()
    assert len(pool.images) == 120 * 4 - 2


def test_other_images_are_another_study(runs: Runs) -> None:
    first, second = runs([1.0, 0.0])
    change(first / "fold-0/oof.csv", lambda table: table.iloc[: len(table) * 9 // 10])
    with pytest.raises(DatasetError, match="only 144 of up to 160 images of fold 0"):
        pool_of([first, second])


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("cancer", "1", "differ in cancer"),
        ("patient_id", "px", "differ in patient_id"),
        ("exam_id", "ex", "differ in exam_id"),
        ("laterality", "R", "differ in laterality"),
    ],
)
def test_tables_that_contradict_each_other_are_refused(
    runs: Runs, column: str, value: str, message: str
) -> None:
    first, second = runs([1.0, 0.0])
    change(second / "fold-1/oof.csv", lambda table: table.assign(**{column: value}))
    with pytest.raises(DatasetError, match=message):
        pool_of([first, second])


def test_other_folds_are_refused(runs: Runs) -> None:
    first, second = runs([1.0, 0.0])
    (second / "fold-0/oof.csv").replace(second / "fold-1/oof.csv")
    change(second / "fold-1/oof.csv", lambda table: table.assign(fold="1"))
    with pytest.raises(DatasetError, match="only 0 of up to 160 images of fold 1"):
        pool_of([first, second / "fold-1"])
    with pytest.raises(DatasetError, match=r"160 images are in two folds: .* not split alike"):
        pool_of([first / "fold-0", second / "fold-1"])


def test_a_patient_in_two_folds_is_refused(runs: Runs) -> None:
    (run,) = runs([1.0])
    change(
        run / "fold-1/oof.csv",
        lambda table: table.assign(patient_id=table["patient_id"].replace("p1", "p0")),
    )
    with pytest.raises(DatasetError, match="1 patients are in two folds"):
        pool_of([run])


def test_units_are_not_mixed_but_may_be_named_by_another_image(runs: Runs) -> None:
    first, second = runs([1.0, 0.0])

    def by(names: list[str]) -> Callable[[pd.DataFrame], pd.DataFrame]:
        def assign(table: pd.DataFrame) -> pd.DataFrame:
            groups = table.groupby(names)["image_id"]
            return table.assign(unit_id=groups.transform("first"))

        return assign

    breast, exam = ["exam_id", "laterality"], ["exam_id"]
    for fold in range(3):
        change(first / f"fold-{fold}/oof.csv", by(breast))
    with pytest.raises(DatasetError, match="score images and others breasts or exams"):
        pool_of([first, second])
    for fold in range(3):
        change(second / f"fold-{fold}/oof.csv", by(exam))
    with pytest.raises(DatasetError, match="score breasts and others exams"):
        pool_of([first, second])
    for fold in range(3):  # the second has lost an image that names a unit in the first
        change(second / f"fold-{fold}/oof.csv", lambda table: by(breast)(table.iloc[1:]))
    assert pool_of([first, second]).lost == 3
