"""Which images are scored together, and by whom: a pure function of the manifest and the members.

It depends on no rank, so that a prediction is the same on any number of them.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dali_pipelines.errors import ConfigError
from dali_pipelines.plan import Blocks, as_blocks, sequential_blocks
from trainer.prediction.scorers import Scorers
from trainer.units import Units


@dataclass(frozen=True, slots=True)
class Order:
    """`blocks` (B, N) of images, -1 for none, and whether each member (B, M) scores a block."""

    blocks: Blocks
    members: NDArray[np.bool_]


def every_member(units: Units, batch: int, members: int) -> Order:
    """Each unit once, in order, `batch` of them in a block; scored by all members."""
    blocks = units.images(sequential_blocks(len(units.members), batch))
    return Order(blocks, np.ones((len(blocks), members), dtype=bool))


def out_of_fold(
    manifest: pd.DataFrame, cohort: str | None, units: Units, batch: int, scorers: Scorers
) -> Order:
    """As `every_member`, fold after fold, each scored by the members that held it out.

    `cohort` is the fingerprint of the manifest that `manifest` is of. Raises ConfigError where a
    member learned from another one or saw all folds, or a fold was held out by none.
    """
    folds = manifest["fold"].to_numpy() if "fold" in manifest.columns else None
    if folds is None or manifest["fold"].isna().any():
        raise ConfigError("--out-of-fold needs a manifest with a fold for every image")
    for number, member in enumerate(scorers.members, start=1):
        if member.held_out is None or member.data != cohort:
            raise ConfigError(
                f"--out-of-fold needs members that held out a fold of this manifest, and number "
                f"{number} did not: it learned from other images, labels or folds, or from all"
            )
    held_out = np.array([member.held_out for member in scorers.members])
    of_unit = folds[units.members.max(axis=1)]
    blocks, members = [], []
    for fold in sorted(set(of_unit.tolist())):
        if not (held_out == fold).any():
            raise ConfigError(f"no member held out fold {fold}; name the run of that fold too")
        rows = as_blocks(np.flatnonzero(of_unit == fold), batch)
        blocks.append(units.images(rows))
        members += [held_out == fold] * len(rows)
    if not blocks:
        return every_member(units, batch, len(scorers.members))
    return Order(np.concatenate(blocks), np.array(members))
