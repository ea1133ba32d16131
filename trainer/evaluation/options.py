"""How scores are to be evaluated."""

from dataclasses import dataclass
from typing import Final

from trainer.aggregation.levels import LEVELS, Level
from trainer.aggregation.policy import Aggregation
from trainer.decisions.decision import Decision
from trainer.evaluation.groups import require_column

_USUAL: Final = Aggregation()


@dataclass(frozen=True, slots=True)
class EvaluationOptions:
    """What to compute.

    `how` joins images to breasts, exams and patients. `by` names columns of `groups.GROUPS` to
    split by, on `by_levels`, None for all of `levels`. Intervals hold the share `confidence` of
    `repeats` draws of patients; 0 makes none. `threshold` counts on every level; without one, that
    of `decision` counts on its own level. `is_chosen_here` says that this decision was chosen on
    the scores that are evaluated, so that what follows from it flatters.
    Raises ConfigError for what cannot be split by.
    """

    how: Aggregation = _USUAL
    levels: tuple[Level, ...] = LEVELS
    by: tuple[str, ...] = ()
    by_levels: tuple[Level, ...] | None = None
    repeats: int = 1000
    seed: int = 0
    threshold: float | None = None
    decision: Decision | None = None
    confidence: float = 0.95
    is_chosen_here: bool = False

    def __post_init__(self) -> None:
        for name in self.by:
            require_column(name)

    def threshold_of(self, level: Level) -> float | None:
        """The score from which on a row of that level is a finding, None where nobody said."""
        if self.threshold is None and self.decision and self.decision.level == level:
            return self.decision.threshold
        return self.threshold
