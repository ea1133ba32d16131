"""Chosen exams, hung: the tiles of each with their scores, pictures and heat maps."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from trainer.report.exam_choice import ExamGroup
from trainer.report.exam_pictures import Picture
from trainer.report.hanging import PLACES, hang

_KEYS: Final = ["patient_id", "exam_id"]
Paint = Callable[[pd.DataFrame, Mapping[str, float]], Mapping[str, Picture]]


@dataclass(frozen=True, slots=True)
class Tile:
    """One place of a hanging: "R CC", what hangs there, and its picture, None where none does.

    `prob` is the score of the image, `cancer` its label, both None where unknown.
    """

    place: str
    image_id: str = ""
    view: str = ""
    prob: float | None = None
    cancer: int | None = None
    picture: Picture | None = None


@dataclass(frozen=True, slots=True)
class HungExam:
    """An exam with its score and label; `others` of its images do not hang."""

    prob: float
    cancer: int
    tiles: Sequence[Tile]
    others: int


@dataclass(frozen=True, slots=True)
class HungGroup:
    """Exams of one kind."""

    title: str
    exams: Sequence[HungExam]


def hang_exams(
    groups: Sequence[ExamGroup], scores: pd.DataFrame, manifest: pd.DataFrame, paint: Paint
) -> list[HungGroup]:
    """The exams of each group with pictures, which `paint` makes for all of them at once.

    `scores` has a row an image, `manifest` the rows behind them in the same order. An exam without
    an image that says its side does not hang.
    """
    images = scores.assign(image_id=manifest["image_id"].array)
    # the strongest map of an exam is that of its highest score: else a view in which nothing was
    # found would glow as brightly as one in which something was
    highest = images.groupby(_KEYS)["prob"].transform("max")
    images["weight"] = (images["prob"] / highest.where(highest > 0, 1.0)).array
    rows = images.groupby(_KEYS).indices
    chosen = [rows[key] for group in groups for key in _keys(group)]
    taken = np.concatenate([*chosen, np.zeros(0, dtype=np.int64)]).astype(np.int64)
    painted = images.iloc[taken]
    weights = dict(zip(painted["image_id"].to_list(), painted["weight"].to_list(), strict=True))
    pictures = paint(manifest.iloc[taken].reset_index(drop=True), weights)
    hung = []
    for group in groups:
        exams = [
            _hang_exam(row, images.iloc[rows[key]], manifest.iloc[rows[key]], pictures)
            for key, row in zip(_keys(group), group.exams.to_dict("records"), strict=True)
        ]
        hung.append(HungGroup(group.title, [exam for exam in exams if exam is not None]))
    return [group for group in hung if group.exams]


def _keys(group: ExamGroup) -> list[tuple[str, str]]:
    return list(zip(*(group.exams[name].to_list() for name in _KEYS), strict=True))


def _hang_exam(
    row: Mapping[Any, Any],
    images: pd.DataFrame,
    manifest: pd.DataFrame,
    pictures: Mapping[str, Picture],
) -> HungExam | None:
    hanging = hang(manifest.reset_index(drop=True))
    if hanging is None:
        return None
    tiles = [
        Tile(place) if index is None else _tile(place, images.iloc[index], pictures)
        for place, index in zip(PLACES, hanging.places, strict=True)
    ]
    return HungExam(float(row["prob"]), int(row["cancer"]), tiles, hanging.others)


def _tile(place: str, image: pd.Series, pictures: Mapping[str, Picture]) -> Tile:
    cancer = image.get("cancer", pd.NA)
    return Tile(
        place=place,
        image_id=image["image_id"],
        view=f"{image['laterality']} {image['view'] or '?'}",
        prob=float(image["prob"]),
        cancer=None if pd.isna(cancer) else int(cancer),
        picture=pictures.get(image["image_id"]),
    )
