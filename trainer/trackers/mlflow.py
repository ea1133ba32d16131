"""MLflow: experiment MLFLOW_EXPERIMENT_NAME, or "mammostream", at MLFLOW_TRACKING_URI.

Its client is used, not `start_run`, which would send user and command line on its own.
"""

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from mlflow.entities import Metric, Param
from mlflow.tracking import MlflowClient

from trainer.trackers.tracker import keep_id, kept_id

_MOST_PARAMS: Final = 100  # in one request of its REST interface


class _Mlflow:
    """A run; `is_new` is false where an earlier process sent figures to it.

    Points cannot be replaced there, so those that were sent before are left as they are.
    """

    def __init__(self, client: Any, run_id: str, *, is_new: bool) -> None:
        self._client = client
        self._run_id = run_id
        self._is_new = is_new
        self._sent: dict[str, int] = {}  # the last step of each name at the start

    def config(self, settings: Mapping[str, Any]) -> None:
        if self._is_new:  # a parameter cannot change
            params = [Param(name, str(value)) for name, value in _flat(settings)]
            for start in range(0, len(params), _MOST_PARAMS):
                some = params[start : start + _MOST_PARAMS]
                self._client.log_batch(self._run_id, params=some)

    def log(self, figures: Mapping[str, float], step: int) -> None:
        now = time.time_ns() // 10**6
        points = [
            Metric(name, value, now, step)
            for name, value in figures.items()
            if step > self._last_step(name)
        ]
        self._client.log_batch(self._run_id, metrics=points)

    def close(self, *, succeeded: bool) -> None:
        self._client.set_terminated(self._run_id, "FINISHED" if succeeded else "FAILED")

    def _last_step(self, name: str) -> int:
        if name not in self._sent:
            past = [] if self._is_new else self._client.get_metric_history(self._run_id, name)
            self._sent[name] = max((point.step for point in past), default=-1)
        return self._sent[name]


def open_tracker(folder: Path, first_step: int) -> _Mlflow:  # noqa: ARG001 - the server knows
    """The run that this directory has there, taken up or begun."""
    client = MlflowClient()
    run_id = kept_id(folder, "mlflow")
    if run_id is not None:
        client.update_run(run_id, "RUNNING")
        return _Mlflow(client, run_id, is_new=False)
    name = os.environ.get("MLFLOW_EXPERIMENT_NAME", "mammostream")
    found = client.get_experiment_by_name(name)
    experiment = found.experiment_id if found else client.create_experiment(name)
    run_id = client.create_run(experiment, run_name=folder.name).info.run_id
    keep_id(folder, "mlflow", run_id)
    return _Mlflow(client, run_id, is_new=True)


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """("optim.lr", 0.1) for {"optim": {"lr": 0.1}}."""
    for name, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
