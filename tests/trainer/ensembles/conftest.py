"""Runs that were never trained: scores drawn at random, with what a run directory holds."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

COLUMNS = [
    *("image_id", "patient_id", "exam_id", "laterality", "view", "view_modifiers"),
    *("prob", "logit", "cancer", "fold", "recipe_hash"),
]
PREVALENCE = 0.15


def draw_images(patients: int, folds: int, seed: int) -> pd.DataFrame:
    """Four views of each patient; a breast has cancer or not."""
    rng = np.random.default_rng(seed)
    rows = []
    for patient in range(patients):
        for side in "LR":
            cancer = int(rng.random() < PREVALENCE)
            rows += [
                (f"i{patient}{side}{view}", f"p{patient}", f"e{patient}", side, view, "", cancer)
                for view in ("CC", "MLO")
            ]
    table = pd.DataFrame(rows, columns=[*COLUMNS[:6], "cancer"])
    return table.assign(fold=table["patient_id"].str[1:].astype(int) % folds)


def write_run(folder: Path, images: pd.DataFrame, signal: float, seed: int) -> Path:
    """A cross-validation whose logits are `signal` higher for cancer, plus noise of 1."""
    rng = np.random.default_rng(seed)
    for fold, rows in images.groupby("fold"):
        logits = -2 + signal * rows["cancer"] + rng.normal(size=len(rows))
        table = rows.assign(logit=logits, prob=expit(logits), recipe_hash="abc")
        own = folder / f"fold-{fold}"
        own.mkdir(parents=True)
        table[COLUMNS].to_csv(own / "oof.csv", index=False)
        (own / "model.json").write_text(json.dumps({"run": folder.name, "fold": fold}))
    return folder


@pytest.fixture
def runs(tmp_path: Path) -> Callable[..., list[Path]]:
    """runs([1.5, 0.0]) are cross-validations on the same images with these signals."""

    def make(
        signals: list[float], patients: int = 120, folds: int = 3, seed: int = 0
    ) -> list[Path]:
        images = draw_images(patients, folds, seed)
        return [
            write_run(tmp_path / f"run{number}", images, signal, seed=1000 * seed + number + 1)
            for number, signal in enumerate(signals)
        ]

    return make
