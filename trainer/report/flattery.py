"""What makes scores look better than the network is: images that it learned from, and its choices.

Only networks that learned from this very manifest are known to; of others nothing is said.
"""

from dataclasses import dataclass

import pandas as pd

from trainer.cohort import fingerprint_of
from trainer.prediction.scorers import Scorers
from trainer.prediction.trained_on import trained_on
from trainer.scores.table import rows_behind


@dataclass(frozen=True, slots=True)
class Flattery:
    """`trained_on` images are scored by a network that learned from them.

    `is_chosen_here` says that the threshold was chosen on the scores that are shown.
    """

    trained_on: int = 0
    is_chosen_here: bool = False


def flattery_of(
    scores: pd.DataFrame,
    manifest: pd.DataFrame | None,
    scorers: Scorers | None,
    *,
    is_out_of_fold: bool,
) -> Flattery:
    """That of scores with a row an image; `is_out_of_fold` says that no image was learned from."""
    if is_out_of_fold:
        return Flattery(is_chosen_here=True)
    cohort = None if manifest is None else fingerprint_of(manifest)
    if manifest is None or scorers is None or cohort is None:
        return Flattery()
    rows = rows_behind(scores, manifest)
    seen = int(trained_on(rows, cohort, scorers).sum())
    learned = {(member.data, member.held_out) for member in scorers.members}
    return Flattery(seen, learned == {(cohort, fold) for fold in rows["fold"].unique().tolist()})
