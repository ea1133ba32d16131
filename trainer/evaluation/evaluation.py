"""What evaluating scores gave, and its JSON."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from trainer.aggregation.levels import Level
from trainer.evaluation.options import EvaluationOptions
from trainer.intervals.interval import Interval
from trainer.metrics.figures import Figures

FORMAT: Final = "mammostream-evaluation"
VERSION: Final = 1
# Patients of either class from which on a figure is worth reading: with 10 of 150 the AUROC's
# interval is 0.23 wide at an AUROC of 0.9 and 0.35 at 0.75 (means of 400 simulated studies).
FEWEST: Final = 10
# Patients with cancer below which the interval of an AUROC above NEAR_ONE is too narrow: with 80
# of them 93.7 % of 1,000 held the truth, with 20 of them 92.5 % (benchmarks/results/coverage.json).
FEW: Final = 50
NEAR_ONE: Final = 0.95


@dataclass(frozen=True, slots=True)
class LevelFigures:
    """The figures of the rows of one level, with intervals from draws of patients.

    `figures` are those of `metrics.figures.score_figures`. `intervals` name the same but the
    counts; None where the data do not define one or none was asked for. `risk` are figures of the
    calibrated risk, where the decision calibrates this level. `delong` is the AUROC's interval
    where every patient has one row. `patients` and `patients_with_cancer` count whose the rows are.
    """

    figures: Figures
    intervals: Mapping[str, Interval | None]
    patients: int
    patients_with_cancer: int
    threshold: float | None = None
    risk: Figures | None = None
    delong: Interval | None = None

    @property
    def is_small(self) -> bool:
        """Whether there are so few patients with or without cancer that a figure is mostly luck."""
        return min(self.patients_with_cancer, self.patients - self.patients_with_cancer) < FEWEST

    @property
    def is_too_sure(self) -> bool:
        """Whether the AUROC is so near 1, of so few cancers, that its interval is too narrow."""
        area = self.figures["auroc"]
        return area is not None and area > NEAR_ONE and self.patients_with_cancer < FEW

    def to_dict(self) -> dict[str, Any]:
        """Plain values; an interval is [low, high]."""
        return {
            "patients": self.patients,
            "patients_with_cancer": self.patients_with_cancer,
            "small": self.is_small,
            "threshold": self.threshold,
            "figures": dict(self.figures),
            "intervals": {name: ends_of(interval) for name, interval in self.intervals.items()},
            "risk": dict(self.risk) if self.risk is not None else None,
            "delong": ends_of(self.delong),
        }


@dataclass(frozen=True, slots=True)
class Subgroup:
    """The figures of the images that share a value; "unknown" is that of those without one."""

    value: str
    images: int
    levels: Mapping[Level, LevelFigures]

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        levels = {level: figures.to_dict() for level, figures in self.levels.items()}
        return {"value": self.value, "images": self.images, "levels": levels}


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The figures of every level, and of every value of each column that was split by.

    `images` count those with a label, `unlabeled` the others, which play no part.
    """

    options: EvaluationOptions
    images: int
    unlabeled: int
    levels: Mapping[Level, LevelFigures]
    subgroups: Mapping[str, tuple[Subgroup, ...]]

    def to_dict(self) -> dict[str, Any]:
        """The document of `mammo evaluate --json`; what the data do not define is None."""
        decision = self.options.decision
        return {
            "format": FORMAT,
            "version": VERSION,
            "aggregation": str(self.options.how),
            "intervals": {
                "of": "patients",
                "confidence": self.options.confidence,
                "repeats": self.options.repeats,
                "seed": self.options.seed,
            },
            "decision": decision.to_dict() if decision else None,
            "decision_chosen_on_these": self.options.is_chosen_here,
            "images": self.images,
            "unlabeled": self.unlabeled,
            "levels": {level: figures.to_dict() for level, figures in self.levels.items()},
            "subgroups": {
                name: [group.to_dict() for group in groups]
                for name, groups in self.subgroups.items()
            },
        }


def ends_of(interval: Interval | None) -> list[float] | None:
    """[low, high] of an interval."""
    return None if interval is None else [interval.low, interval.high]
