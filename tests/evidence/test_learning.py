"""Learning is real: lesions of synthetic patients are found in patients never seen.

And the labels alone are the reason: with those of other patients in their place, nothing is found.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.evidence.cross_validation import Study, mammo, scan
from tests.evidence.image_auroc import image_auroc

FOLDS = 4
FLOOR, SLICE_FLOOR = 0.90, 0.75  # the slice is one fold of 60 patients, at 0.98 when written
MAX_CPU_SECONDS = 600  # of one fold, all threads
ROOT = Path(__file__).parents[2]
CONFIG = "configs/train/demo.yaml"
SIZES = {True: "[160, 128]", False: "[96, 80]"}  # of the prepared images, full or not
EPOCHS = {True: "3", False: "6"}


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory, full: bool) -> Path:
    """A folder with exams/, the manifest true.parquet with their own labels, and shards/."""
    folder = tmp_path_factory.mktemp("learning")
    size = ("--patients", "400") if full else ("--patients", "60", "--size", "256x208")
    mammo("phantom", folder / "exams", *size)
    exams, manifest = folder / "exams", folder / "true.parquet"
    scan(exams / "images", exams / "labels.csv", manifest, FOLDS)
    mammo("preprocess", manifest, folder / "shards", *recipe(full), "--device", "cpu")
    return folder


def recipe(full: bool) -> tuple[str, ...]:
    """The options of `mammo preprocess` that name it."""
    return ("--recipe", "demo", "--set", f"resize.size={SIZES[full]}")


@pytest.mark.slow
def test_lesions_are_found_in_new_patients_and_by_their_labels_alone(
    phantoms: Path, full: bool, record_evidence: Callable
) -> None:
    scores, seconds = out_of_fold(phantoms, "true", full)
    shuffle_labels(phantoms)
    by_chance, _ = out_of_fold(phantoms, "shuffled", full)
    found, chance = image_auroc(scores), image_auroc(by_chance)
    record_evidence(
        "learning",
        {
            "command": f"mammo train --config {CONFIG} --epochs {EPOCHS[full]} --fold N",
            "recipe": " ".join(recipe(full)),
            "images": len(scores),
            "patients": int(scores["patient_id"].nunique()),
            "image_auroc": found,
            "image_auroc_of_shuffled_labels": chance,
            "cpu_seconds_by_fold": seconds,
        },
    )
    assert found["auroc"] >= (FLOOR if full else SLICE_FLOOR)
    assert chance["low"] <= 0.5 <= chance["high"]
    if full:
        assert max(seconds) <= MAX_CPU_SECONDS


def out_of_fold(phantoms: Path, name: str, full: bool) -> tuple[pd.DataFrame, list[float]]:
    """Scores by the labels of that manifest, and the CPU seconds of each fold."""
    options = ("--config", str(ROOT / CONFIG), "--epochs", EPOCHS[full])
    study = Study(phantoms / f"{name}.parquet", phantoms / "shards", options)
    return study.out_of_fold(phantoms / name, range(FOLDS) if full else [0])


def shuffle_labels(phantoms: Path) -> None:
    """The manifest shuffled.parquet of the same images, each patient with another one's labels."""
    labels = pd.read_csv(phantoms / "exams" / "labels.csv", dtype={"patient_id": str})
    shuffle_patients(labels, seed=0).to_csv(phantoms / "shuffled.csv", index=False)
    manifest = phantoms / "shuffled.parquet"
    shutil.copy(phantoms / "true.key", manifest.with_suffix(".key"))  # the same ids and so shards
    scan(phantoms / "exams" / "images", phantoms / "shuffled.csv", manifest, FOLDS)


def shuffle_patients(labels: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The table with the labels of each patient's four images in the place of another patient's."""
    ordered = labels.sort_values(["patient_id", "laterality", "view"], ignore_index=True)
    by_patient = ordered["cancer"].to_numpy().reshape(-1, 4)
    shuffled = by_patient[np.random.default_rng(seed).permutation(len(by_patient))]
    return ordered.assign(cancer=shuffled.ravel())


def test_shuffling_gives_each_patient_the_labels_of_one_whole_patient() -> None:
    sides = ["L", "L", "R", "R"]
    labels = pd.DataFrame(
        {
            "patient_id": np.repeat([f"p{number:02}" for number in range(20)], 4),
            "laterality": sides * 20,
            "view": ["CC", "MLO"] * 40,
            "cancer": [int(side == "L" and number < 8) for number in range(20) for side in sides],
        }
    )
    shuffled = shuffle_patients(labels.sample(frac=1, random_state=1), seed=0)
    assert shuffled.groupby(["patient_id", "laterality"])["cancer"].nunique().eq(1).all()
    by_side = shuffled.drop_duplicates(["patient_id", "laterality"]).groupby("laterality")
    assert by_side["cancer"].sum().to_dict() == {"L": 8, "R": 0}
    assert (shuffled["cancer"].to_numpy() != labels["cancer"].to_numpy()).any()
