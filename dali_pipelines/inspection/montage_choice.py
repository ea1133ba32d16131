"""Which images a montage shows, in which order, and what it says of each beside its box."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Literal

import numpy as np
import pandas as pd

from dali_pipelines.errors import DatasetError

By = Literal["worst", "random", "site", "label"]
Choice = list[tuple[int, str]]  # positions of images, each with a few words

LABEL: Final = "cancer"
_WORDS: Final = {1: "positive", 0: "negative"}
# What tells machines apart, as far as the manifest has it.
_SITE_COLUMNS: Final = ("dataset", "site_id", "machine_id", "manufacturer", "model_name")


def choose_images_by(by: By, frame: pd.DataFrame, count: int, seed: int) -> Choice:
    """At most `count` rows of a manifest, the same for the same seed.

    - "random", and "worst", of which others choose again: drawn evenly, in the order drawn.
    - "label": positives, then negatives, as many of each as there are for half of `count`, else
      more of the other. DatasetError where the manifest has no labels.
    - "site": groups of one data set, site, machine, manufacturer and model, as far as the manifest
      tells, in turn one of each until there are enough; a group together, the largest first.
    """
    order = np.random.default_rng(seed).permutation(len(frame)).tolist()
    choose: Mapping[str, Callable[[pd.DataFrame, Sequence[int], int], Choice]] = {
        "label": _by_label,
        "site": _by_site,
    }
    if by in choose:
        return choose[by](frame, order, count)
    return [(place, "") for place in order[:count]]


def _by_label(frame: pd.DataFrame, order: Sequence[int], count: int) -> Choice:
    labels = frame[LABEL].tolist() if LABEL in frame.columns else []
    if not any(label in _WORDS for label in labels if not pd.isna(label)):
        raise DatasetError(
            f"--by label needs the column {LABEL} with 0 and 1, and the images have none; scan "
            "with --labels"
        )
    groups = [[k for k in order if not pd.isna(labels[k]) and labels[k] == v] for v in _WORDS]
    taken = _in_turn(groups, count)
    words = _WORDS.values()
    return [(k, word) for group, word in zip(taken, words, strict=True) for k in group]


def _by_site(frame: pd.DataFrame, order: Sequence[int], count: int) -> Choice:
    columns = [name for name in _SITE_COLUMNS if name in frame.columns]
    keys = list(frame[columns].astype(str).itertuples(index=False, name=None))
    members: dict[tuple[str, ...], list[int]] = {}
    for k in order:
        members.setdefault(keys[k], []).append(k)
    ranked = sorted(members, key=lambda key: (-len(members[key]), key))
    taken = _in_turn([members[key] for key in ranked], count)
    return [
        (k, f"group {number} of {len(ranked)}: {_machine(frame, k)}")
        for number, group in enumerate(taken, 1)
        for k in group
    ]


def _machine(frame: pd.DataFrame, row: int) -> str:
    """Its maker and model: of all that tells groups apart, what names no place."""
    maker, model = (str(frame[name].iloc[row]) for name in ("manufacturer", "model_name"))
    return f"{maker} {model}".strip() or "not named"


def _in_turn(groups: Sequence[Sequence[int]], count: int) -> list[list[int]]:
    """The first of each group, then the second of each, until there are `count`; by group."""
    turns = sorted((turn, g) for g, group in enumerate(groups) for turn in range(len(group)))
    taken: list[list[int]] = [[] for _ in groups]
    for turn, g in turns[:count]:
        taken[g].append(groups[g][turn])
    return taken
