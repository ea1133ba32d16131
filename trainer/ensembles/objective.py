"""What a choice of members is to be best in."""

import math
from dataclasses import dataclass
from typing import Final

from dali_pipelines.errors import ConfigError
from dali_pipelines.settings import closest
from trainer.aggregation.levels import LEVELS, Level
from trainer.decisions.rules import parse_rule
from trainer.decisions.threshold import choose_threshold
from trainer.metrics.figures import SCORE_FIGURES, THRESHOLD_FIGURES, figures_of_draws
from trainer.metrics.ranked import Draws, Floats, Ints

_LESS_IS_MORE: Final = ("brier", "logloss", "ece", "ece_mass")


@dataclass(frozen=True, slots=True)
class Objective:
    """A figure of a level; one of decisions is judged at the threshold that `rule` chooses."""

    level: Level
    figure: str
    rule: str

    def __str__(self) -> str:
        """The text that `parse_objective` reads."""
        return f"{self.level}/{self.figure}"

    def value(self, labels: Ints, probs: Floats) -> float | None:
        """The figure of scores (m,), None where they do not define it."""
        threshold = None
        if self.figure in THRESHOLD_FIGURES:
            threshold = choose_threshold(parse_rule(self.rule), probs, labels)
            if threshold is None:
                return None
        draws = Draws.once(labels, probs)
        value = float(figures_of_draws(draws, [self.figure], threshold)[self.figure][0])
        return None if math.isnan(value) else value

    def worth(self, labels: Ints, probs: Floats) -> float:
        """The figure, its sign such that more is better; -inf where it is not defined."""
        value = self.value(labels, probs)
        if value is None:
            return -math.inf
        return -value if self.figure in _LESS_IS_MORE else value


def parse_objective(text: str, rule: str) -> Objective:
    """The objective of a text such as "breast/auroc"; ConfigError where there is none."""
    parse_rule(rule)
    level, slash, figure = text.partition("/")
    known = [f"{a}/{b}" for a in LEVELS for b in (*SCORE_FIGURES, *THRESHOLD_FIGURES)]
    if text not in known:
        figures = ", ".join((*SCORE_FIGURES, *THRESHOLD_FIGURES))
        hint = closest(text, known) if slash else ""
        hint = hint if "Did you mean" in hint else ""
        raise ConfigError(
            f"no figure {text[:60]!r} to choose by.{hint} Wanted is LEVEL/FIGURE, with levels "
            f"{', '.join(LEVELS)} and figures {figures}"
        )
    return Objective(next(name for name in LEVELS if name == level), figure, rule)
