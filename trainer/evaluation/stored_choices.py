"""What was chosen before scores are evaluated: how they are joined, and the decision on them.

Beside predictions it is in OUT_about.json. Out-of-fold scores have it where it was chosen on them:
OUT.json beside the OUT_oof.csv of `mammo ensemble`; in a run directory ensemble.json beside the
oof.csv of all folds, model.json beside that of one.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

from trainer.aggregation.policy import Aggregation, parse_aggregation
from trainer.decisions.decision import Decision
from trainer.decisions.of_training import decision_of_training
from trainer.document import read_document, value_of
from trainer.ensembles.ensemble_file import is_ensemble
from trainer.evaluation.options import EvaluationOptions
from trainer.run_folder import ENSEMBLE, MODEL, SCORES
from trainer.scores.trained_images import trained_images
from trainer.scores.writing import about_beside

_OF_ENSEMBLE: Final = f"_{SCORES}"


class _Choices(NamedTuple):
    """What a file says was chosen, and whether on the scores beside it."""

    how: Aggregation | None = None
    decision: Decision | None = None
    is_chosen_here: bool = False


def with_choices(
    options: EvaluationOptions, predictions: Path, how: Aggregation | None = None
) -> EvaluationOptions:
    """The options with what is written beside a table of scores.

    `how`, where it is given, comes before what is written, and a decision on scores that were
    joined in another way then does not count. Without such a file the options stay, but for `how`.

    Raises CheckpointError or ConfigError where the file makes no sense.
    """
    written = _written_beside(predictions)
    chosen = how or written.how or options.how
    if written.how not in (None, chosen):
        return replace(options, how=chosen, decision=None)
    is_here = written.decision is not None and written.is_chosen_here
    return replace(options, how=chosen, decision=written.decision, is_chosen_here=is_here)


def count_trained(predictions: Path) -> int | None:
    """How many of the images a network that scored them had learned from; None if unknown.

    Raises CheckpointError where the document beside the predictions makes no sense.
    """
    path = about_beside(predictions)
    return trained_images(read_document(path)) if path.is_file() else None


def _written_beside(predictions: Path) -> _Choices:
    about = about_beside(predictions)
    if about.is_file():
        document = read_document(about)
        return _choices(document, about, is_chosen_here=document.get("out_of_fold") is True)
    if predictions.name == SCORES:
        return _of_run(predictions.parent)
    if predictions.name.endswith(_OF_ENSEMBLE):
        path = predictions.with_name(predictions.name.removesuffix(_OF_ENSEMBLE) + ".json")
        if is_ensemble(path):
            return _choices(read_document(path), path, is_chosen_here=True)
    return _Choices()


def _of_run(folder: Path) -> _Choices:
    ensemble, model = folder / ENSEMBLE, (folder / MODEL).with_suffix(".json")
    if is_ensemble(ensemble):
        document = read_document(ensemble)
        if _is_of_own_folds(document, ensemble):
            return _choices(document, ensemble, is_chosen_here=True)
    if not model.is_file():
        return _Choices()
    document, where = read_document(model), repr(str(model))
    settings = value_of(document, "settings", dict, where)
    how, decision = decision_of_training(settings, document.get("threshold"), where)
    return _Choices(how, decision, is_chosen_here=True)


def _is_of_own_folds(document: Mapping[str, Any], path: Path) -> bool:
    """Whether the members are the folds beside the file, not those of several runs."""
    members = value_of(document, "members", list, repr(str(path)))
    paths = [str(member.get("path")) for member in members if isinstance(member, dict)]
    return all(name.startswith("fold-") for name in paths)


def _choices(document: Mapping[str, Any], path: Path, *, is_chosen_here: bool) -> _Choices:
    where = repr(str(path))
    how = decision = None
    if document.get("aggregation") is not None:
        how = parse_aggregation(value_of(document, "aggregation", str, where))
    if document.get("decision") is not None:
        decision = Decision.from_dict(value_of(document, "decision", dict, where), where)
    return _Choices(how, decision, is_chosen_here)
