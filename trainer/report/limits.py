"""What the figures cannot show, as far as counts tell it: sentences for the model card."""

from typing import Final

from dali_pipelines.splits import Receipt
from trainer.evaluation.evaluation import FEWEST
from trainer.evaluation.groups import UNKNOWN
from trainer.report.data_card import DataCard
from trainer.report.flattery import Flattery
from trainer.report.score_part import ScorePart

_WANTED: Final = ("site", "vendor", "age", "density")  # what a reviewer asks to see apart


def limits_of(
    data: DataCard | None, scores: ScorePart | None, receipt: Receipt | None, flattery: Flattery
) -> list[str]:
    """The sentences; at least one, since no run sees images of elsewhere."""
    found = [
        "Nothing is known of other hospitals, machines and populations than those counted here."
    ]
    if data is not None:
        found += _of_data(data)
    if scores is not None:
        found += _of_scores(scores)
    if flattery.trained_on:
        found.append(
            f"{flattery.trained_on:,} of the scored images were trained on: their scores flatter."
        )
    if receipt is not None and not receipt.clean:
        found.append("Something is in two folds, so that figures of held-out folds flatter.")
    return found


def _of_data(data: DataCard) -> list[str]:
    found = []
    for name in _WANTED:
        if name in data.constants:
            found.append(f"All images are of one {name}: {data.constants[name]}.")
        elif name not in data.parts:
            found.append(f"The {name} is not known of any image.")
        unknown = sum(part.images for part in data.parts.get(name, ()) if part.name == UNKNOWN)
        if unknown:
            found.append(f"The {name} is not known of {unknown:,} images.")
    return found


def _of_scores(scores: ScorePart) -> list[str]:
    found = []
    main = scores.evaluation.levels[scores.main]
    if main.is_small:
        found.append(
            f"{main.patients_with_cancer:,} of {main.patients:,} scored patients have cancer: with "
            f"fewer than {FEWEST} of either kind no interval can be relied on."
        )
    decision = scores.evaluation.options.decision
    if decision is None or decision.calibration is None:
        found.append("Scores are not calibrated: they are no probabilities of cancer.")
    few = [
        f"{name} {row.value}"
        for name, rows in scores.subgroups.items()
        for row in rows
        if row.figures.is_small
    ]
    if few and not main.is_small:
        found.append(f"Too few patients to judge: {'; '.join(few)}.")
    return found
