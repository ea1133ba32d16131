"""Which candidates become members, every fold by one or more.

    all         every one
    exhaustive  the best of all choices; of equals the one with fewer members, then the first
    greedy      the best single candidate of each fold, then, as long as it helps, the one step that
                helps most: another candidate in, one out, or one for another of its fold

Forward selection and candidates that may be chosen again, to weigh more: Caruana et al. 2004,
"Ensemble Selection from Libraries of Models". One or more of every fold: the advice of SPR's first
place; RSNA's chose one of each by trying all.
"""

import itertools
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.errors import ConfigError
from trainer.ensembles.level_scores import Choice, LevelScores
from trainer.ensembles.objective import Objective

Method = Literal["greedy", "exhaustive", "all"]
METHODS: Final[tuple[Method, ...]] = get_args(Method)

MOST_CHOICES: Final = 20_000  # three runs of five folds have 7**5 = 16,807
_MOST_TIMES: Final = 9  # members of a fold where one may be chosen again
_TIE: Final = 1e-12  # figures this near are equal but for rounding


@dataclass(frozen=True, slots=True)
class Choosing:
    """How to choose. `per_fold` members a fold at most, None for any number.

    With `weighted` greedy may choose a candidate again.
    """

    method: Method = "greedy"
    per_fold: int | None = None
    weighted: bool = False


def choose(
    scores: LevelScores, objective: Objective, rows: NDArray[np.bool_], choosing: Choosing
) -> Choice:
    """The choice that is best in the objective on those rows (m,) of the level.

    Raises ConfigError where there are too many choices to try all.
    """
    if choosing.method == "all":
        return tuple(range(len(scores.pool.folds)))
    judge = _Judge(scores, objective, rows)
    if choosing.method == "exhaustive":
        return _exhaustive(judge, choosing)
    return _greedy(judge, choosing)


@dataclass(frozen=True, slots=True)
class _Judge:
    scores: LevelScores
    objective: Objective
    rows: NDArray[np.bool_]

    def worth(self, choice: Choice) -> float:
        probs = self.scores.probs(choice)[self.rows]
        return self.objective.worth(self.scores.labels[self.rows], probs)

    def best(self, choices: Iterable[Choice]) -> tuple[Choice, float]:
        """The best of one choice or more, of equals the first, and what it is worth."""
        judged = ((choice, self.worth(choice)) for choice in choices)
        best, most = next(judged)
        for choice, worth in judged:
            if worth > most + _TIE:
                best, most = choice, worth
        return best, most


def _exhaustive(judge: _Judge, choosing: Choosing) -> Choice:
    by_fold = [
        _subsets(judge.scores.members(fold), choosing.per_fold) for fold in judge.scores.folds
    ]
    count = math.prod(len(subsets) for subsets in by_fold)
    if count > MOST_CHOICES:
        raise ConfigError(
            f"{count:,} choices are too many to try all, {MOST_CHOICES:,} at most; choose greedily "
            "or bound the members of a fold (--per-fold)"
        )
    choices = [tuple(sorted(itertools.chain(*parts))) for parts in itertools.product(*by_fold)]
    return judge.best(sorted(choices, key=lambda choice: (len(choice), choice)))[0]


def _subsets(members: Choice, most: int | None) -> list[Choice]:
    sizes = range(1, min(most or len(members), len(members)) + 1)
    return [subset for size in sizes for subset in itertools.combinations(members, size)]


def _greedy(judge: _Judge, choosing: Choosing) -> Choice:
    choice = tuple(sorted(_best_single(judge, fold) for fold in judge.scores.folds))
    while True:
        best, _ = judge.best([choice, *_steps(judge.scores, choice, choosing)])
        if best == choice:
            return choice
        choice = best


def _best_single(judge: _Judge, fold: int) -> int:
    """The candidate of a fold that is best on the rows of that fold alone, of equals the first."""
    scores, own = judge.scores, judge.scores.row_folds == fold
    rows, labels = judge.rows[own], judge.scores.labels[own]
    worths = [
        judge.objective.worth(labels[rows], scores.probs_alone(member)[rows])
        for member in scores.members(fold)
    ]
    return scores.members(fold)[int(np.argmax(worths))]


def _steps(scores: LevelScores, choice: Choice, choosing: Choosing) -> Iterator[Choice]:
    """The choices one step away that still have every fold: out, for another, in."""
    for fold in scores.folds:
        members = scores.members(fold)
        own = [member for member in choice if member in members]
        rest = [member for member in choice if member not in members]
        free = list(members) if choosing.weighted else [m for m in members if m not in own]
        for leaving in sorted(set(own)):
            kept = own.copy()
            kept.remove(leaving)
            if kept:
                yield tuple(sorted(rest + kept))
            yield from (tuple(sorted([*rest, *kept, new])) for new in free if new != leaving)
        if len(own) < (choosing.per_fold or (_MOST_TIMES if choosing.weighted else len(members))):
            yield from (tuple(sorted([*rest, *own, new])) for new in free)
