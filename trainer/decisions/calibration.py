"""Calibration: from a score to the risk that it stands for, never falling where scores rise."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from trainer.document import number_of, refused, value_of

Floats = NDArray[np.float64]
Method = Literal["temperature", "platt", "isotonic"]
METHODS: Final[tuple[Method, ...]] = get_args(Method)

_NEAREST: Final = 1e-12  # how near to 0 and 1 a score is told apart: a logit of 27.6


@dataclass(frozen=True, slots=True)
class Calibration:
    """How scores become risks.

    temperature and platt: sigmoid(`scale` * logit + `offset`), with offset 0 for temperature, whose
    T is 1 / scale. isotonic: straight lines between `knots` (score, risk), both never falling, and
    level outside of them.
    """

    method: Method
    scale: float = 1.0
    offset: float = 0.0
    knots: tuple[tuple[float, float], ...] = ()

    def risk(self, probs: Floats) -> Floats:
        """Risks (n,) float64 in [0, 1] of scores (n,) in [0, 1]."""
        if self.method == "isotonic":
            scores, risks = np.array(self.knots).T
            return np.asarray(np.interp(probs, scores, risks), np.float64)
        return np.asarray(expit(self.scale * clipped_logit(probs) + self.offset), np.float64)

    def to_dict(self) -> dict[str, Any]:
        """The method and its own numbers, as plain values."""
        if self.method == "isotonic":
            return {"method": self.method, "knots": [list(knot) for knot in self.knots]}
        return {"method": self.method, "scale": self.scale, "offset": self.offset}


def clipped_logit(probs: Floats) -> Floats:
    """Logits (n,) of scores; scores of exactly 0 and 1 have finite ones."""
    return np.asarray(logit(np.clip(probs, _NEAREST, 1 - _NEAREST)), np.float64)


def calibration_of(document: Mapping[str, Any], where: str) -> Calibration:
    """The calibration that `to_dict` wrote; CheckpointError where it makes no sense."""
    method = document.get("method")
    if method == "isotonic":
        return Calibration("isotonic", knots=_knots(document, where))
    if method not in ("temperature", "platt"):
        raise refused(where, "method", f"one of {', '.join(METHODS)} is", method)
    scale = number_of(document, "scale", where)
    if scale < 0:
        raise refused(where, "scale", "a number that is not negative is", scale)
    return Calibration(method, scale, number_of(document, "offset", where))


def _knots(document: Mapping[str, Any], where: str) -> tuple[tuple[float, float], ...]:
    pairs = value_of(document, "knots", list, where)
    wanted = "a list of pairs (score, risk) that rise from 0 to 1 is"
    if not pairs or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise refused(where, "knots", wanted, pairs)
    numbers = [
        (number_of({"score": s}, "score", where), number_of({"risk": r}, "risk", where))
        for s, r in pairs
    ]
    scores, risks = np.array(numbers).T
    is_inside = min(scores.min(), risks.min()) >= 0 and max(scores.max(), risks.max()) <= 1
    if not is_inside or (np.diff(scores) <= 0).any() or (np.diff(risks) < 0).any():
        raise refused(where, "knots", wanted, pairs)
    return tuple(numbers)
