"""Scores as a competition takes them: its ids, its rows, its order.

A competition's own ids are needed, so these files are never keyed. What cannot be told of an image
costs as little as possible, and is always said in the log:

- An image without an id of the competition in its header takes it from the folder it lies in, which
  both competitions name so; it is left out where that says none either.
- RSNA has a row a side; an image of unknown side, or of both, counts to both sides of its patient.
- With `like`, a row that no image has a score for gets the prior, and one that is not asked for is
  left out.
"""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import pandas as pd

from dali_pipelines.adapters.labels import parent_folder
from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.patient_groups import is_nameless
from trainer.aggregation.levels import aggregate
from trainer.aggregation.policy import Aggregation
from trainer.aggregation.rules import combine
from trainer.decisions.decision import Decision
from trainer.scores.competitions import COMPETITIONS, Competition, CompetitionName
from trainer.scores.table import rows_behind

Column = Literal["prob", "risk", "positive"]

_SIDES: Final = ("L", "R")
_NUMBER: Final = r"[0-9]{1,9}"  # both competitions number their patients and exams

log = logging.getLogger("mammo.predict")


@dataclass(frozen=True, slots=True)
class SubmissionOptions:
    """How scores become rows.

    `column` is what a row says: the score or, by `decision`, its calibrated risk or 0 and 1. `like`
    is a file of the competition that says which rows it wants in which order: a sample submission
    or the table of test images. `prior` in [0, 1] stands for a score that is missing, None for the
    competition's own, and for 0 among rows of 0 and 1.
    """

    how: Aggregation = Aggregation()  # noqa: RUF009 - it is frozen
    decision: Decision | None = None
    column: Column = "prob"
    like: Path | None = None
    prior: float | None = None


def submission(
    scores: pd.DataFrame, manifest: pd.DataFrame, name: CompetitionName, options: SubmissionOptions
) -> pd.DataFrame:
    """The two columns of a competition's file, to be written by `write_scores` to a .csv.

    `scores` is the table of a part of the manifest, keyed or raw; rows are sorted by id unless
    `like` orders them. Raises ConfigError where the options do not fit the competition,
    DatasetError where no image has an id of it, or `like` asks for none of them.
    """
    competition = COMPETITIONS[name]
    wanted = find_rows(name, options)
    named = _named(scores, manifest, competition)
    rows = _rows(named, competition, options.how)
    if options.decision is not None and options.column != "prob":
        rows = options.decision.apply(rows)
    values = rows.set_index(competition.id_column)[options.column]
    if wanted is not None:
        values = _as_asked(values, wanted, _prior(competition, options))
    return values.rename(competition.value_column).reset_index()


def find_rows(name: CompetitionName, options: SubmissionOptions) -> list[str] | None:
    """The ids of the rows that are asked for, None without `like`: all that is known beforehand.

    Raises ConfigError where the options do not fit the competition or there is no such file,
    DatasetError where it names no rows of the competition.
    """
    competition = COMPETITIONS[name]
    _require_fit(competition, options)
    return None if options.like is None else competition.read_ids(options.like)


def _prior(competition: Competition, options: SubmissionOptions) -> float:
    if options.prior is not None:
        return options.prior
    return 0.0 if options.column == "positive" else competition.prior  # among 0 and 1 no share


def _require_fit(competition: Competition, options: SubmissionOptions) -> None:
    prior = options.prior
    if prior is not None and not 0 <= prior <= 1:
        raise ConfigError(f"the prior of a row without a score is {prior}, wanted is 0 to 1")
    if options.column == "prob":
        return
    decision, level = options.decision, competition.level
    is_risk = options.column == "risk"
    if decision is None:
        found = "none is there"
    elif decision.level != level:
        found = f"this one is of the {decision.level}"
    elif is_risk and decision.calibration is None:
        found = "this one is not calibrated"
    else:
        return
    raise ConfigError(
        f"{options.column!r} needs a {'calibrated ' if is_risk else ''}decision on the {level}, "
        f"and {found}; submit the probabilities, or choose one with `mammo ensemble "
        f"{'--calibrate platt ' if is_risk else ''}--figure {level}/auroc`"
    )


def _named(scores: pd.DataFrame, manifest: pd.DataFrame, competition: Competition) -> pd.DataFrame:
    """The scores with an id of the competition, as patient_id or exam_id."""
    rows = rows_behind(scores, manifest)
    column = "exam_id" if competition.level == "exam" else "patient_id"
    ids = rows[column].fillna("")
    # a header without an accession number names the exam by the UID of its study
    known = ids.map(competition.may_be_id) & ~is_nameless(rows, column)
    folder = parent_folder(rows).fillna("")
    lent = ~known & folder.str.fullmatch(_NUMBER) & folder.map(competition.may_be_id)
    ids = ids.where(known, folder).map(competition.fill)
    nameless = ~(known | lent).to_numpy(bool)
    _say(int(lent.sum()), "%d images have no id in their header; they took that of their folder")
    if nameless.all():
        raise DatasetError(
            f"none of the {len(ids):,} images has an id for {competition.id_column} "
            f"({competition.wanted}) in its header, or as the name of its folder"
        )
    _say(int(nameless.sum()), "%d images have no id of the competition and are left out")
    named = scores.assign(**{column: ids.to_numpy()})[~nameless]
    # an accession number names an exam by itself, whoever its images say that the patient is
    return named.assign(patient_id="") if competition.level == "exam" else named


def _rows(named: pd.DataFrame, competition: Competition, how: Aggregation) -> pd.DataFrame:
    """One row an id of the competition, sorted by it, with `prob` in [0, 1]."""
    if competition.level == "exam":
        exams = aggregate(named, "exam", how)
        return exams.rename(columns={"exam_id": competition.id_column})
    breasts = aggregate(_on_both_sides(named), "breast", how)
    ids = breasts["patient_id"] + "_" + breasts["laterality"]
    codes, names = pd.factorize(ids, sort=True)
    joint = combine(breasts["prob"].to_numpy(np.float64), codes.astype(np.int64), how.exams)
    return pd.DataFrame({competition.id_column: names, "prob": joint})


def _on_both_sides(named: pd.DataFrame) -> pd.DataFrame:
    """The scores, with those of no one side once for each."""
    sided = named["laterality"].isin(_SIDES)
    _say(int((~sided).sum()), "%d images are of no one side and count to both of their patient")
    both = [named[~sided].assign(laterality=side) for side in _SIDES]
    return pd.concat([named[sided], *both], ignore_index=True)


def _as_asked(values: "pd.Series[float]", ids: list[str], prior: float) -> "pd.Series[float]":
    """The values of those ids, in their order; the prior where there is none."""
    missing = ~pd.Index(ids).isin(values.index)
    if missing.all():
        raise DatasetError(
            f"the {len(ids):,} rows asked for and the {len(values):,} scored have no id in common; "
            "name the table of these images"
        )
    _say(int(missing.sum()), f"%d rows have no score and say {prior:g}")
    _say(int((~values.index.isin(ids)).sum()), "%d scored rows are not asked for and left out")
    return values.reindex(pd.Index(ids, name=values.index.name)).fillna(prior)


def _say(count: int, text: str) -> None:
    if count:
        log.warning(text, count)
