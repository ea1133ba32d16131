"""A decision: what follows from the scores of one level, chosen once and kept with the weights.

It is to be chosen on out-of-fold scores only: on those of images that were trained on it flatters.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Self

import numpy as np
import pandas as pd

from dali_pipelines.errors import ConfigError, DatasetError
from trainer.aggregation.levels import LEVELS, Level
from trainer.decisions.calibrate import fit_calibration
from trainer.decisions.calibration import Calibration, Method, calibration_of
from trainer.decisions.rules import parse_rule
from trainer.decisions.threshold import choose_threshold
from trainer.document import number_of, refused, value_of
from trainer.metrics.ranked import Floats, Ints


@dataclass(frozen=True, slots=True)
class Decision:
    """A score of `level` counts as positive from `threshold` on, which `rule` has chosen.

    The threshold is of the score itself, not of the calibrated risk. `chosen_on` says on what both
    were chosen: rows, positives, patients, aggregation.
    """

    level: Level
    rule: str
    threshold: float
    calibration: Calibration | None = None
    chosen_on: dict[str, int | str] = field(default_factory=dict)

    def apply(self, table: pd.DataFrame) -> pd.DataFrame:
        """The table of scores of its level with `risk` in [0, 1] and `positive`, 0 or 1.

        There is no risk where nothing was calibrated; `prob` stays as it is.
        """
        probs = table["prob"].to_numpy(np.float64)
        if self.calibration is not None:
            table = table.assign(risk=self.calibration.risk(probs))
        return table.assign(positive=(probs >= self.threshold).astype(np.int64))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, which `from_dict` turns back into an equal decision."""
        return {
            "level": self.level,
            "rule": self.rule,
            "threshold": self.threshold,
            "calibration": self.calibration.to_dict() if self.calibration else None,
            "chosen_on": self.chosen_on,
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any], where: str = "the decision") -> Self:
        """The decision that `to_dict` wrote; CheckpointError where it makes no sense.

        `where` names it in the message.
        """
        level = value_of(document, "level", str, where)
        if level not in LEVELS:
            raise refused(where, "level", f"one of {', '.join(LEVELS)} is", level)
        calibration = document.get("calibration")
        if calibration is not None:
            calibration = calibration_of(value_of(document, "calibration", dict, where), where)
        rule = value_of(document, "rule", str, where)
        try:
            parse_rule(rule)
        except ConfigError:
            raise refused(where, "rule", "a rule such as f1 is", rule) from None
        return cls(
            level,
            rule,
            number_of(document, "threshold", where),
            calibration,
            _facts(document, where),
        )


def _facts(document: Mapping[str, Any], where: str) -> dict[str, int | str]:
    """`chosen_on` of a document: whole numbers and texts, since it goes into other files."""
    facts = value_of(document, "chosen_on", dict, where)
    if not all(type(fact) is int or isinstance(fact, str) for fact in facts.values()):
        raise refused(where, "chosen_on", "a mapping to whole numbers and texts is", facts)
    return facts


def choose_decision(
    level: Level,
    probs: Floats,
    labels: Ints,
    rule: str = "f1",
    calibration: Method | None = None,
    chosen_on: Mapping[str, int | str] = MappingProxyType({}),
) -> Decision:
    """The decision on scores (n,) of a level, of images that were not trained on.

    `labels` (n,) are 0 or 1. Its `chosen_on` are the counts n and npos and what is given. Raises
    ConfigError where there is no such rule, DatasetError where a class is missing.
    """
    threshold = choose_threshold(parse_rule(rule), probs, labels)
    if threshold is None:
        raise DatasetError(
            f"a threshold by {rule!r} needs scores of both classes, found {int(labels.sum())} "
            f"positives among {len(labels)}"
        )
    curve = fit_calibration(calibration, probs, labels) if calibration else None
    counts = {"n": len(labels), "npos": int(labels.sum())}
    return Decision(level, rule, threshold, curve, {**counts, **chosen_on})
