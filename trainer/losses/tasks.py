"""The auxiliary tasks: where their outputs stand, and what a unit's targets are."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from dali_pipelines.adapters.labels import BIRADS_BY_WEIGHT
from dali_pipelines.errors import ConfigError
from trainer.losses.classes import class_count, image_values
from trainer.units import Units

Floats = NDArray[np.float64]


def task_columns(used: Sequence[str]) -> dict[str, slice]:
    """The outputs of each used task, side by side in their order; output 0 is the cancer logit."""
    columns, start = {}, 1
    for name in used:
        columns[name] = slice(start, start + class_count(name))
        start += class_count(name)
    return columns


def output_count(used: Sequence[str]) -> int:
    """How many outputs a network has for cancer and those tasks."""
    return 1 + sum(map(class_count, used))


def task_targets(frame: pd.DataFrame, units: Units, used: Sequence[str]) -> NDArray[np.float32]:
    """What each unit is to be told as: (U, 1 + tasks), its label and a column a task.

    A class is its number from 0 on, an age a share of 100 years, NaN what no image of the unit
    says. Where its images differ, the gravest assessment, the densest breast, the greatest age and
    any implant count (ACR BI-RADS Atlas, 5th edition, takes the denser breast).

    Raises ConfigError for a task of which the manifest says nothing, and for the view of units that
    have several.
    """
    columns = [units.labels, *(_unit_values(frame, units.members, name) for name in used)]
    return np.stack(columns, axis=1).astype(np.float32)


def _unit_values(frame: pd.DataFrame, members: NDArray[np.int64], task: str) -> Floats:
    """The target (U,) of each unit, of `members` (U, V)."""
    if task == "view" and members.shape[1] > 1:
        raise ConfigError(
            "loss.tasks.view must be 0 where model.unit is not image: a sample has several views"
        )
    values = np.full(len(frame) + 1, np.nan)  # the last one is that of a missing view, -1
    if task in frame.columns:
        values[:-1] = image_values(frame[task], task)
    chosen = _choose(values[members], task)
    if np.isnan(chosen).all():
        raise ConfigError(
            f"loss.tasks.{task} must be 0 here: no sample has a known {task!r} in the "
            "manifest; set it to 0, or scan again with tables that say it"
        )
    return chosen


def _choose(values: Floats, task: str) -> Floats:
    """The one value (U,) that counts for a unit, of those (U, V) of its images."""
    known = ~np.isnan(values)
    weights = np.where(known, values, -1.0)
    if task == "birads":
        ranks = np.argsort(BIRADS_BY_WEIGHT)
        weights[known] = ranks[values[known].astype(np.int64)]
    gravest = weights.argmax(axis=1)[:, np.newaxis]
    chosen: Floats = np.take_along_axis(values, gravest, axis=1)[:, 0]
    return chosen
