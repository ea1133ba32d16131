"""What `mammo predict` writes: its names by format, and the writing itself."""

import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from dali_pipelines.atomic import PRIVATE_MODE, PUBLIC_MODE
from dali_pipelines.errors import ConfigError, DatasetError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from dali_pipelines.verdicts import Reject
    from trainer.aggregation.policy import Aggregation
    from trainer.decisions.decision import Decision
    from trainer.prediction.inputs import Inputs
    from trainer.prediction.predict import Predictions, PredictOptions
    from trainer.prediction.scorers import Scorers
    from trainer.scores.submission import SubmissionOptions

SUBMISSIONS: Final = ("rsna", "spr")
FORMATS: Final = ("csv", "json", "parquet", *SUBMISSIONS)
_STEM: Final = "predictions"

log = logging.getLogger("mammo.predict")


@dataclass(frozen=True, slots=True)
class Target:
    """Where the scores go and as what; `like`, `column` and `prior` are of a submission."""

    out: Path
    kind: str
    like: Path | None = None
    column: str = "prob"
    prior: float | None = None

    @property
    def is_submission(self) -> bool:
        """Whether it is a competition's file."""
        return self.kind in SUBMISSIONS

    def files(self) -> list[Path]:
        """All that is written."""
        from dali_pipelines.rejects.table import rejects_beside
        from trainer.aggregation.levels import LEVELS
        from trainer.scores.writing import about_beside, level_path

        tables = [self.out] if self.is_submission else [level_path(self.out, e) for e in LEVELS]
        return [*tables, rejects_beside(self.out), about_beside(self.out)]


def find_target(
    out: Path | None, kind: str | None, like: Path | None, column: str | None, prior: float | None
) -> Target:
    """The file that -O names, or "predictions" with the suffix of its format.

    Without a format the suffix says it. Raises ConfigError where the two do not go together, or an
    option of a submission comes without one.
    """
    known = kind or (out.suffix.removeprefix(".") if out is not None else "csv")
    suffix = ".csv" if known in SUBMISSIONS else f".{known}"
    out = out or Path(_STEM).with_suffix(suffix)
    if known not in FORMATS or out.suffix != suffix:
        wanted = suffix if kind else ".csv, .json or .parquet"
        raise ConfigError(f"-O {str(out)!r} must end in {wanted}, as its format does")
    of_submission = {"--like": like, "--submit": column, "--prior": prior}
    given = [name for name, value in of_submission.items() if value is not None]
    if given and known not in SUBMISSIONS:
        raise ConfigError(f"{given[0]} needs --format {' or '.join(SUBMISSIONS)}")
    _require_no_manifest(out)
    return Target(out, known, like, column or "prob", prior)


def require_possible(target: Target, scorers: "Scorers", how: "Aggregation") -> None:
    """Raise, before hours of scoring, what a submission would end with after them.

    ConfigError where its options do not fit the scorers or there is no file of --like, DatasetError
    where that names no rows of the competition.
    """
    if target.is_submission:
        from trainer.scores.submission import find_rows

        find_rows(cast("Any", target.kind), _options(target, how, scorers.decision_by(how)))


def read_images(target: Target, how: "Aggregation", read: "Callable[[], Inputs]") -> "Inputs":
    """What `read` finds, where there is something to score.

    Raises DatasetError where there is no image, after which only the table of rejects is another,
    or where none has an id of the competition, or one that --like names.
    """
    from dali_pipelines.rejects.counts import count_verdicts
    from dali_pipelines.rejects.table import rejects_beside, write_rejects

    inputs = read()
    if inputs.frame.empty:
        table = rejects_beside(target.out)
        target.out.parent.mkdir(parents=True, exist_ok=True)
        write_rejects(inputs.rejects, table)
        counts = count_verdicts(0, [], []).and_rejects(inputs.rejects)
        raise DatasetError(f"no image among {counts.line(table)}")
    if target.is_submission:
        _require_rows(target, how, inputs.frame)
    return inputs


def _require_rows(target: Target, how: "Aggregation", frame: "pd.DataFrame") -> None:
    """Make the submission that it would be if all images had one score."""
    import numpy as np

    from trainer.scores.submission import submission
    from trainer.scores.table import prediction_table

    even = prediction_table(frame, np.zeros(len(frame)), "", None)
    options = replace(_options(target, how, None), column="prob")
    submission(even, frame, cast("Any", target.kind), options)


def _options(
    target: Target, how: "Aggregation", decision: "Decision | None"
) -> "SubmissionOptions":
    from trainer.scores.submission import SubmissionOptions

    return SubmissionOptions(how, decision, cast("Any", target.column), target.like, target.prior)


def write_predictions(
    target: Target,
    inputs: "Inputs",
    scorers: "Scorers",
    options: "PredictOptions",
    predictions: "Predictions",
    how: "Aggregation",
) -> dict[str, Any]:
    """Write all files; what was kept of the unfinished prediction goes.

    Returns {name: {"path": ..., "n": rows}} of the tables.
    """
    from trainer.prediction.about import describe, write_about
    from trainer.prediction.unfinished import remove_unfinished, unfinished_beside
    from trainer.scores.table import rows_behind
    from trainer.scores.writing import write_tables

    decision = scorers.decision_by(how)
    if scorers.decision is not None and decision is None:
        text = "the threshold was chosen with --aggregate %s, so none is applied to %s"
        log.warning(text, scorers.aggregation, how)
    rejects = [*inputs.rejects, *predictions.rejects]
    if target.is_submission:
        facts = _submit(target, predictions.table, inputs.frame, rejects, how, decision)
    else:
        mode = PUBLIC_MODE if options.key is not None else PRIVATE_MODE  # raw ids name patients
        facts = write_tables(predictions.table, rejects, target.out, how, decision, mode)
    counts = predictions.counts.and_rejects(inputs.rejects)
    scored = rows_behind(predictions.table, inputs.frame)
    write_about(describe(scorers, options, how, counts, scored), target.out)
    remove_unfinished(unfinished_beside(target.out))
    return facts


def _submit(
    target: Target,
    table: "pd.DataFrame",
    manifest: "pd.DataFrame",
    rejects: "Sequence[Reject]",
    how: "Aggregation",
    decision: "Decision | None",
) -> dict[str, Any]:
    """Write the competition's file, look whether it would take it, and write the rejects."""
    from dali_pipelines.rejects.table import rejects_beside, write_rejects
    from trainer.scores.check_submission import check_submission
    from trainer.scores.submission import submission
    from trainer.scores.writing import write_scores

    out, kind = target.out, cast("Any", target.kind)
    out.parent.mkdir(parents=True, exist_ok=True)
    rejected = write_rejects(rejects, rejects_beside(out))
    rows = submission(table, manifest, kind, _options(target, how, decision))
    write_scores(rows, out, PRIVATE_MODE)
    log.warning(
        "the submission names %s by raw ids, which is what the competition takes; its file is "
        "for its owner alone (mode 0600)",
        "exams" if kind == "spr" else "patients",
    )
    check_submission(out, kind, target.like)
    return {
        "submission": {"path": str(out), "n": len(rows)},
        "rejects": {"path": str(rejects_beside(out)), "n": rejected},
    }


def _require_no_manifest(out: Path) -> None:
    """Raise ConfigError where a table of scores would replace a manifest."""
    if out.suffix != ".parquet" or not out.is_file():
        return
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        is_of_scores = "prob" in pq.ParquetFile(out).schema_arrow.names
    except (pa.ArrowException, OSError):
        is_of_scores = False
    if not is_of_scores:
        raise ConfigError(
            f"{str(out)!r} is there and is no table of scores, such as a manifest; choose another "
            "name"
        )
