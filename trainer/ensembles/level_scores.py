"""What any choice of candidates scores on a level, out of fold."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from trainer.aggregation.levels import Level, aggregate
from trainer.aggregation.policy import Aggregation
from trainer.ensembles.combine import Combine, combine
from trainer.ensembles.pool import Pool

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Choice = tuple[int, ...]  # candidates in rising order; one that is there twice weighs twice


class LevelScores:
    """The rows of a level, and the scores of choices on them, each worked out once.

    `labels`, `patients` and `row_folds` are (m,), by fold. A row is of one fold, since its patient
    is, so only the chosen candidates of that fold matter: what they score there is kept, and put
    together with the other folds.
    """

    def __init__(self, pool: Pool, level: Level, how: Aggregation, combine: Combine) -> None:
        self.pool, self.level, self.how, self.combine = pool, level, how, combine
        self.folds = np.unique(pool.folds)
        self._images = [np.flatnonzero(pool.images["fold"] == fold) for fold in self.folds]
        self._known: dict[Choice, Floats] = {}
        tables = [self._table(rows, np.zeros(len(rows))) for rows in self._images]
        self.labels = np.concatenate([table["cancer"].to_numpy(np.int64) for table in tables])
        self.patients = np.concatenate([table["patient_id"].to_numpy(str) for table in tables])
        self.row_folds = np.repeat(self.folds, [len(table) for table in tables])

    def members(self, fold: int) -> Choice:
        """The candidates that held a fold out."""
        return tuple(np.flatnonzero(self.pool.folds == fold).tolist())

    def probs(self, choice: Choice) -> Floats:
        """The scores (m,) of the level by a choice that has a candidate of every fold."""
        return np.concatenate([self._of_fold(index, choice) for index in range(len(self.folds))])

    def probs_alone(self, member: int) -> Floats:
        """The scores of one candidate on the rows of the fold that it held out, in their order."""
        index = int(np.searchsorted(self.folds, self.pool.folds[member]))
        return self._of_fold(index, (member,))

    def image_logits(self, choice: Choice) -> Floats:
        """The logits (n,) of the images of the pool by a choice."""
        return combine_chosen(self.pool.logits, choice, self.combine)

    def _of_fold(self, index: int, choice: Choice) -> Floats:
        fold = self.folds[index]
        chosen = tuple(member for member in choice if self.pool.folds[member] == fold)
        if chosen not in self._known:
            rows = self._images[index]
            logits = combine_chosen(self.pool.logits[rows], chosen, self.combine)
            table = self._table(rows, expit(logits))
            self._known[chosen] = table["prob"].to_numpy(np.float64)
        return self._known[chosen]

    def _table(self, rows: NDArray[np.intp], probs: Floats) -> pd.DataFrame:
        return aggregate(self.pool.images.iloc[rows].assign(prob=probs), self.level, self.how)


def combine_chosen(logits: Floats, choice: Sequence[int], how: Combine) -> Floats:
    """Logits (n,) by the chosen columns of `logits` (n, K); one chosen twice weighs twice."""
    members, times = np.unique(np.asarray(choice, np.int64), return_counts=True)
    return combine(logits[:, members], times.astype(np.float64), how)
