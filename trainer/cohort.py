"""Who trains and who validates: the labeled images of a manifest, by fold.

Everything that makes a manifest unfit for training is found here, before any work is done.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.splits import require_no_overlap
from trainer.losses.tasks import task_targets
from trainer.sampler import epoch_blocks
from trainer.settings import TrainSettings
from trainer.units import Units, build_units

LABEL = "cancer"


@dataclass(frozen=True, slots=True)
class Cohort:
    """The images of a run: `frame` in order of SOP Instance UID, and the units they make up.

    `targets` (U, T) float32 are cancer, 0 or 1, then the auxiliary tasks, NaN where unknown.
    `train` and `held_out` are units; `held_out` is empty in a run without validation.
    `fingerprint` changes with any image, its pixels, label or fold.
    """

    frame: pd.DataFrame
    units: Units
    targets: NDArray[np.float32]
    train: NDArray[np.int64]
    held_out: NDArray[np.int64]
    fingerprint: str

    @property
    def labels(self) -> NDArray[np.int64]:
        """The labels (t,) of the units to train on."""
        return self.units.labels[self.train]

    @property
    def patients(self) -> NDArray[np.int64]:
        """The patients (t,) of the units to train on, as numbers."""
        return self.units.patients[self.train]

    def shown_labels(self, settings: TrainSettings) -> NDArray[np.int64]:
        """The labels of what the first epoch shows, each as often as it shows it."""
        blocks = epoch_blocks(self.labels, self.patients, settings.data, settings.seed, epoch=0)
        return self.labels[blocks[blocks >= 0]]

    @property
    def prior(self) -> float:
        """The share of positives among the units to train on."""
        return float(self.labels.mean())


def select_cohort(manifest: pd.DataFrame, settings: TrainSettings) -> Cohort:
    """The cohort of one fold.

    Raises DatasetError where labels or folds are absent or wrong, a patient is in two folds, or
    nothing is left to train on; ConfigError where the manifest has no such fold.
    """
    _require_columns(manifest)
    require_no_overlap(manifest)
    labeled = _labeled(manifest, settings)
    frame = labeled.sort_values("sop_instance_uid", kind="stable", ignore_index=True)
    labels = frame[LABEL].to_numpy(np.int64)
    folds = frame["fold"].to_numpy(np.int64)
    held = np.zeros(len(frame), dtype=bool)
    if settings.validate == "fold":
        held = folds == settings.fold
        if not held.any():
            known = ", ".join(str(fold) for fold in sorted(set(folds.tolist())))
            raise ConfigError(f"the manifest has no fold {settings.fold}; it has folds {known}")
    units = build_units(frame, settings.model.unit, labels)
    cohort = Cohort(
        frame=frame,
        units=units,
        targets=task_targets(frame, units, settings.loss.tasks.used),
        train=units.holding(np.flatnonzero(~held)),
        held_out=units.holding(np.flatnonzero(held)),
        fingerprint=_fingerprint(frame, labels, folds),
    )
    _require_classes(cohort.labels, settings)
    return cohort


def fingerprint_of(manifest: pd.DataFrame) -> str | None:
    """The fingerprint of the cohort that a run on all labeled images of the manifest would have.

    None where labels or folds are missing.
    """
    if not {LABEL, "fold"} <= set(manifest.columns):
        return None
    labeled = manifest[manifest[LABEL].notna()]
    if labeled["fold"].isna().any():
        return None
    frame = labeled.sort_values("sop_instance_uid", kind="stable", ignore_index=True)
    return _fingerprint(frame, frame[LABEL].to_numpy(np.int64), frame["fold"].to_numpy(np.int64))


def _fingerprint(frame: pd.DataFrame, labels: NDArray[np.int64], folds: NDArray[np.int64]) -> str:
    """SHA-256 over a line per image; its pixels are told by their hash, else by size and time."""
    stat = frame["file_size"].astype(str) + "@" + frame["mtime_ns"].astype(str)
    pixels = frame["sha256"].astype("string").fillna("")
    pixels = pixels.where(pixels != "", stat)
    lines = zip(frame["image_id"], labels.tolist(), folds.tolist(), pixels, strict=True)
    return hashlib.sha256(
        "\n".join(" ".join(map(str, line)) for line in lines).encode()
    ).hexdigest()


def _require_columns(manifest: pd.DataFrame) -> None:
    if LABEL not in manifest.columns or not manifest[LABEL].notna().any():
        raise DatasetError(
            f"the manifest has no labels (column {LABEL!r}); scan with "
            "--adapter auto, or --labels TABLE"
        )
    require_folds(manifest)


def require_folds(manifest: pd.DataFrame) -> None:
    """Raise DatasetError where an image has no fold."""
    if "fold" not in manifest.columns or manifest["fold"].isna().any():
        raise DatasetError(
            "the manifest has images without a fold; assign folds with `mammo split`, or with "
            "`mammo split --keep` where others have one"
        )


def _labeled(manifest: pd.DataFrame, settings: TrainSettings) -> pd.DataFrame:
    known = manifest[LABEL].notna()
    if not manifest.loc[known, LABEL].isin([0, 1]).all():
        raise DatasetError(f"column {LABEL!r} must hold 0 or 1, or nothing where it is unknown")
    if known.all() or settings.data.unlabeled == "drop":
        return manifest[known]
    raise DatasetError(
        f"{(~known).sum()} of {len(manifest)} images have no label; label them, or leave them out "
        "with --set data.unlabeled=drop"
    )


def _require_classes(labels: NDArray[np.int64], settings: TrainSettings) -> None:
    positives = int(labels.sum())
    if 0 < positives < len(labels):
        return
    raise DatasetError(
        f"training needs images with and without cancer, and the folds other than "
        f"{settings.fold} have {positives} with it among {len(labels)}"
    )
