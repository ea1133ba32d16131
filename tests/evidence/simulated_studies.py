"""Studies of clustered patients whose true figures are known.

A share of the women has cancer, in half of her images. An image's score is normal, higher by
`separation` deviations with cancer, and half of its variance is common to all images of a woman.
Its probability is the true one of a cancer given the score, so it is calibrated. One image of each
kind is thus N(0, 1) or N(separation, 1), from which every figure follows by integration.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import norm

IMAGES = (2, 4, 8)  # of a woman, equally likely: one side alone, one exam, two exams
COMMON = 0.5  # share of the variance of scores that the images of a woman have in common
_GRID = np.linspace(14, -10, 2_400_001)  # scores: steps of 1e-5, all probability within 1e-20

Rows = tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]


@dataclass(frozen=True)
class Design:
    """What a study is drawn from."""

    patients: int
    share_with_cancer: float
    separation: float
    threshold: float = 0.1

    @property
    def prevalence(self) -> float:
        """The share of images with cancer."""
        return self.share_with_cancer / 2

    def draw(self, rng: np.random.Generator) -> Rows:
        """Labels, probabilities and patients of the images of one study."""
        labels, patients = self._images(rng)
        return labels, self._probs(labels, _noise(rng, patients)), patients

    def draw_pair(self, rng: np.random.Generator, other: "Design") -> tuple[Rows, NDArray]:
        """A study, and another model's probabilities: 0.7 of the variance is common to both."""
        labels, patients = self._images(rng)
        shared, own, others = (_noise(rng, patients) for _ in range(3))
        first, second = (0.7**0.5 * shared + 0.3**0.5 * rest for rest in (own, others))
        return (labels, self._probs(labels, first), patients), other._probs(labels, second)

    def truth(self) -> dict[str, float]:
        """The figures of infinitely many patients, by name of `metrics.figures`."""
        sensitivity, alarms = norm.sf(_GRID - self.separation), norm.sf(_GRID)
        precision = self._share(sensitivity, alarms)
        part = alarms <= 0.2
        area = np.trapezoid(sensitivity[part], alarms[part])
        return {
            "auroc": float(norm.cdf(self.separation / 2**0.5)),
            "auprc": float(np.trapezoid(precision, sensitivity)),
            "pauc_spec80": float((1 + (area - 0.02) / 0.18) / 2),
            "sens_at_spec90": float(norm.sf(norm.isf(0.1) - self.separation)),
            "sens_at_spec80": float(norm.sf(norm.isf(0.2) - self.separation)),
            "spec_at_sens90": float(norm.cdf(norm.isf(0.9) + self.separation)),
            **self._of_probabilities(),
            **self._of_decisions(),
        }

    def _of_probabilities(self) -> dict[str, float]:
        prob = self._prob_of(_GRID)
        healthy = (1 - self.prevalence) * norm.pdf(_GRID)
        sick = self.prevalence * norm.pdf(_GRID - self.separation)
        found, alarms, brier, loss = -np.trapezoid(
            [
                prob * sick,
                prob * healthy,
                (1 - prob) ** 2 * sick + prob**2 * healthy,
                -np.log(prob) * sick - np.log1p(-prob) * healthy,
            ],
            _GRID,
        )
        pf1 = 2 * found / (self.prevalence + found + alarms)
        return {"pf1": float(pf1), "brier": float(brier), "logloss": float(loss)}

    def _of_decisions(self) -> dict[str, float]:
        offset = logit(self.threshold) - logit(self.prevalence)
        score = offset / self.separation + self.separation / 2
        recall, alarms = float(norm.sf(score - self.separation)), float(norm.sf(score))
        precision = float(self._share(np.array(recall), np.array(alarms)))
        f_scores = {
            name: (1 + beta**2) * precision * recall / (beta**2 * precision + recall)
            for name, beta in (("f1", 1.0), ("f0.5", 0.5), ("f2", 2.0))
        }
        return {"precision": precision, "recall": recall, "specificity": 1 - alarms, **f_scores}

    def _share(self, sensitivity: NDArray, alarms: NDArray) -> NDArray:
        found = self.prevalence * sensitivity
        return found / (found + (1 - self.prevalence) * alarms)

    def _images(self, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
        counts = rng.choice(IMAGES, self.patients)
        patients = np.repeat(np.arange(self.patients), counts)
        place = np.arange(len(patients)) - np.repeat(np.cumsum(counts) - counts, counts)
        sick = rng.random(self.patients) < self.share_with_cancer
        return (sick[patients] & (place < counts[patients] // 2)).astype(np.int64), patients

    def _probs(self, labels: NDArray, noise: NDArray) -> NDArray:
        return self._prob_of(self.separation * labels + noise)

    def _prob_of(self, scores: NDArray) -> NDArray:
        """The probability of cancer given the score, by Bayes' rule for two normal densities."""
        return expit(self.separation * (scores - self.separation / 2) + logit(self.prevalence))


def _noise(rng: np.random.Generator, patients: NDArray) -> NDArray:
    common = rng.normal(size=patients[-1] + 1)[patients]
    return COMMON**0.5 * common + (1 - COMMON) ** 0.5 * rng.normal(size=len(patients))
