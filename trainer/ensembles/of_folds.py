"""The ensemble of a cross-validation: every fold's network, and the decision on their scores."""

import logging
from collections.abc import Sequence
from pathlib import Path

from dali_pipelines.errors import DatasetError
from trainer.aggregation.policy import parse_aggregation
from trainer.ensembles.build import EnsembleOptions, build_ensemble
from trainer.ensembles.choose import Choosing
from trainer.ensembles.ensemble_file import write_ensemble
from trainer.ensembles.objective import parse_objective
from trainer.run_folder import ENSEMBLE
from trainer.settings import TrainSettings

log = logging.getLogger("mammo.train")


def write_ensemble_of_folds(run: Path, folds: Sequence[Path], settings: TrainSettings) -> None:
    """Write RUN/ensemble.json from the finished runs of all folds, whose directories these are.

    Its threshold is chosen by the settings' rule on the out-of-fold scores of all images. Where
    these cannot decide, as without one of the classes, there is none, and a warning says why.
    """
    options = EnsembleOptions(
        objective=parse_objective(settings.monitor, settings.threshold),
        choosing=Choosing("all"),
        how=parse_aggregation(settings.aggregate),
        seed=settings.seed,
    )
    try:
        built = build_ensemble(folds, options)
    except DatasetError as error:
        log.warning("no %s: %s", ENSEMBLE, error)
        return
    write_ensemble(built.ensemble, run / ENSEMBLE)
