"""Which units an epoch shows, and which of them share a batch.

Pure functions of (settings, seed, epoch), on the blocks of `dali_pipelines.plan`: the number of
ranks plays no part, and `rank_blocks` deals the blocks out to any number of them.
"""

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.errors import DatasetError
from dali_pipelines.plan import (
    Blocks,
    as_blocks,
    cycled,
    epoch_generator,
    positives_per_block,
    ratio_blocks,
)
from trainer.patients_apart import keep_apart
from trainer.sampling_settings import DataSettings, at_epoch

Indices = NDArray[np.int64]


def epoch_blocks(
    labels: NDArray[np.int64],
    patients: NDArray[np.int64],
    settings: DataSettings,
    seed: int,
    epoch: int,
) -> Blocks:
    """The blocks (B, N) of one epoch, of indices into `labels`; -1 where the last one ends.

    `labels` (U,) are 1, 0, or -1 for unknown, which is never shown; `patients` (U,) are codes of
    0 or more. Raises DatasetError where a share of positives is asked for and a class is empty.
    """
    _require_classes(labels, settings)
    rng = epoch_generator(seed, epoch)
    positives, negatives = _shown(labels, patients, settings, epoch, rng)
    share = _share(settings, epoch)
    if share is not None and settings.balance == "block":
        blocks = ratio_blocks(positives, negatives, settings.batch, share, rng)
    else:
        order = _order(positives, negatives, settings, share, rng)
        blocks = as_blocks(order, settings.batch)
    if settings.patients == "apart":
        mixed = share is None or settings.balance != "block"
        blocks = keep_apart(blocks, patients, np.zeros_like(labels) if mixed else labels, rng)
    return blocks


def epoch_length(
    labels: NDArray[np.int64], patients: NDArray[np.int64], settings: DataSettings, epoch: int
) -> int:
    """How many blocks `epoch_blocks` gives for that epoch, whatever the seed; errors as there."""
    _require_classes(labels, settings)
    positives, negatives = (
        len(_one_each(units, patients)) if settings.patients == "one" else len(units)
        for units in (np.flatnonzero(labels == 1), np.flatnonzero(labels == 0))
    )
    negatives = _kept(negatives, settings, epoch)
    share = _share(settings, epoch)
    if share is not None and settings.balance == "block":
        return -(-negatives // (settings.batch - positives_per_block(settings.batch, share)))
    if share is not None and settings.balance == "repeat":
        positives = _repeats(positives, negatives, share)
    return -(-(positives + negatives) // settings.batch)


def _shown(
    labels: NDArray[np.int64],
    patients: NDArray[np.int64],
    settings: DataSettings,
    epoch: int,
    rng: np.random.Generator,
) -> tuple[Indices, Indices]:
    """The positives and the negatives that may come in this epoch, each once."""
    positives, negatives = np.flatnonzero(labels == 1), np.flatnonzero(labels == 0)
    if settings.patients == "one":
        positives = _one_each(rng.permutation(positives), patients)
        negatives = _one_each(rng.permutation(negatives), patients)
    count = _kept(len(negatives), settings, epoch)
    if count < len(negatives):
        negatives = rng.permutation(negatives)[:count]
    return positives, negatives


def _one_each(units: Indices, patients: NDArray[np.int64]) -> Indices:
    """The first unit of each patient among those."""
    _, first = np.unique(patients[units], return_index=True)
    return units[first]


def _kept(negatives: int, settings: DataSettings, epoch: int) -> int:
    """How many negatives an epoch shows: at least one where there is one."""
    share = at_epoch(settings.keep_negatives, epoch)
    return max(round(share * negatives), min(negatives, 1))


def _share(settings: DataSettings, epoch: int) -> float | None:
    share = settings.positive_share
    return None if share is None else at_epoch(share, epoch)


def _order(
    positives: Indices,
    negatives: Indices,
    settings: DataSettings,
    share: float | None,
    rng: np.random.Generator,
) -> Indices:
    """The units of an epoch that has no share of each block to keep."""
    if share is None:
        return rng.permutation(np.sort(np.concatenate([positives, negatives])))
    if settings.balance == "repeat":
        count = _repeats(len(positives), len(negatives), share)
        return rng.permutation(np.concatenate([negatives, cycled(positives, count, rng)]))
    count = len(positives) + len(negatives)
    chosen = [rng.choice(units, count) for units in (positives, negatives)]
    return np.where(rng.random(count) < share, *chosen)


def _repeats(positives: int, negatives: int, share: float) -> int:
    """How many positives make that share beside those negatives; each comes at least once."""
    return max(positives, round(negatives * share / (1 - share)))


def _require_classes(labels: NDArray[np.int64], settings: DataSettings) -> None:
    positives, negatives = int((labels == 1).sum()), int((labels == 0).sum())
    if settings.positive_share is not None and not (positives and negatives):
        raise DatasetError(
            f"a share of positives needs units (images, breasts or exams) of both classes, found "
            f"{positives} with cancer and {negatives} without; set data.positive_share to null, "
            "or add labeled images"
        )
