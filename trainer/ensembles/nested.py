"""What a way of choosing is worth on patients that had no part in the choice.

The best of many candidates looks better than it is on the patients it was chosen on, and so does a
threshold. So patients are put in groups; for each group members, threshold and calibration are
chosen anew without it and judged on it. The figure is of the way of choosing, which the choice on
all patients then follows. Source: Varma and Simon 2006, "Bias in Error Estimation When Using
Cross-Validation for Model Selection"; Cawley and Talbot 2010, "On Over-fitting in Model Selection".

What it does not undo: the epoch that a run kept because it was best on its fold was chosen with
all patients of that fold, the judged ones too. Where the combination goes by ranks, a group's
scores are ranked among those of its fold, as ranks always need all images; no label has a part in
it, so scores that tell nothing still have an AUROC of 0.5 on average.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trainer.decisions.decision import Decision
from trainer.ensembles.groups import most_groups, outer_groups
from trainer.ensembles.judged import Judged, judge_decision
from trainer.ensembles.level_scores import Choice, LevelScores

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]

# from the rows (m,) of the level to choose on to members and decision
Chooser = Callable[[Mask], tuple[Choice, Decision]]


@dataclass(frozen=True, eq=False)
class Nested:
    """The choice without each group, the rows of all groups judged, and the images' logits (n,)."""

    choices: tuple[Choice, ...]
    judged: Judged
    logits: Floats


def nested_choice(scores: LevelScores, choose: Chooser, groups: int, seed: int) -> Nested | None:
    """Each of `groups` groups of patients, judged by what `choose` makes of the others.

    Fewer groups where fewer patients have a row of a class, None where not even two have.
    """
    groups = min(groups, most_groups(scores.patients, scores.labels))
    if groups < 2:
        return None
    member_of = outer_groups(scores.patients, scores.labels, scores.row_folds, groups, seed)
    images = scores.pool.images["patient_id"].to_numpy(str)
    names, firsts = np.unique(scores.patients, return_index=True)
    image_groups = member_of[firsts][np.searchsorted(names, images)]
    logits = np.full(len(images), np.nan)
    parts, choices = [], []
    for group in range(groups):
        choice, decision = choose(member_of != group)
        own = member_of == group
        probs = scores.probs(choice)[own]
        parts.append(judge_decision(decision, scores.labels[own], scores.patients[own], probs))
        choices.append(choice)
        its_images = image_groups == group
        logits[its_images] = scores.image_logits(choice)[its_images]
    return Nested(tuple(choices), _together(parts), logits)


def _together(parts: list[Judged]) -> Judged:
    return Judged(
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.patients for part in parts]),
        np.concatenate([part.probs for part in parts]),
        np.concatenate([part.risks for part in parts]),
        np.concatenate([part.positive for part in parts]),
    )
