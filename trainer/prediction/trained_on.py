"""Whether images are scored by networks that learned from them.

Only a network that learned from this very manifest is known to: what an earlier or another manifest
held is not kept with the weights.
"""

import logging

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainer.cohort import LABEL
from trainer.prediction.scorers import Scorers

log = logging.getLogger("mammo.predict")


def trained_on(manifest: pd.DataFrame, cohort: str | None, scorers: Scorers) -> NDArray[np.bool_]:
    """Whether a member learned from each image (n,) of a manifest.

    `cohort` is the fingerprint of all that the manifest labels, of which `manifest` may be a part.
    """
    seen = np.zeros(len(manifest), dtype=bool)
    if cohort is None:
        return seen
    folds = manifest["fold"]
    for member in scorers.members:
        if member.data == cohort:
            seen |= np.ones_like(seen) if member.held_out is None else folds != member.held_out
    return seen & manifest[LABEL].notna().to_numpy(bool)


def count_trained_on(manifest: pd.DataFrame, cohort: str | None, scorers: Scorers) -> int | None:
    """How many images a member is known to have learned from; arguments as of `trained_on`.

    None where that is none, and a member learned from something else than this manifest.
    """
    seen = int(trained_on(manifest, cohort, scorers).sum())
    is_known = all(member.data == cohort for member in scorers.members)
    return seen if seen or is_known else None


def warn_of_training(manifest: pd.DataFrame, cohort: str | None, scorers: Scorers) -> None:
    """Say in one line how many images a member learned from, if any, or that it cannot be told."""
    seen = count_trained_on(manifest, cohort, scorers)
    if seen is None:
        log.info(
            "whether images were trained on cannot be told: that takes the very manifest (images, "
            "labels, folds and id key) that the checkpoints learned from"
        )
    elif seen:
        log.warning(
            "%s of %s images were trained on by a checkpoint that scores them, so their scores "
            "flatter it; --fold K scores the fold that it held out, --out-of-fold each image by "
            "those that never saw it",
            f"{seen:,}",
            f"{len(manifest):,}",
        )
