"""What was chosen before the scores were made: how they are joined, and the decision on them."""

from dataclasses import replace
from pathlib import Path

from trainer.aggregation.policy import Aggregation, parse_aggregation
from trainer.decisions.decision import Decision
from trainer.document import read_document, value_of
from trainer.evaluation.options import EvaluationOptions
from trainer.scores.writing import about_beside


def with_choices(
    options: EvaluationOptions, predictions: Path, how: Aggregation | None = None
) -> EvaluationOptions:
    """The options with what `mammo predict` wrote beside its table, in OUT_about.json.

    `how`, where it is given, comes before what is written, and a decision on scores that were
    joined in another way then does not count. Without that file the options stay, but for `how`.

    Raises CheckpointError or ConfigError where the file makes no sense.
    """
    path = about_beside(predictions)
    written, decision = _read(path) if path.is_file() else (None, None)
    chosen = how or written or options.how
    is_same = written is None or written == chosen
    return replace(options, how=chosen, decision=decision if is_same else None)


def _read(path: Path) -> tuple[Aggregation | None, Decision | None]:
    document, where = read_document(path), repr(str(path))
    how = decision = None
    if document.get("aggregation") is not None:
        how = parse_aggregation(value_of(document, "aggregation", str, where))
    if document.get("decision") is not None:
        decision = Decision.from_dict(value_of(document, "decision", dict, where), where)
    return how, decision
