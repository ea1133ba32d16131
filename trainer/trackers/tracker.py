"""What a tracker is, and all of a run's as one that cannot fail it."""

import importlib
import json
import logging
from collections.abc import Mapping, Sequence
from numbers import Real
from pathlib import Path
from typing import Any, Protocol

from dali_pipelines.atomic import replacing
from dali_pipelines.errors import DeviceError
from trainer.run_folder import TRACKERS

log = logging.getLogger("mammo.train")


class Tracker(Protocol):
    """One place that figures are sent to; each `trainer.trackers.<name>` has `open_tracker`.

    `open_tracker(folder, first_step)` gives the tracker of a run directory. Points from
    `first_step` on are sent again by a run that was taken up: none may stand there twice.
    """

    def config(self, settings: Mapping[str, Any]) -> None:
        """Send the settings of the run, as nested plain values."""

    def log(self, figures: Mapping[str, float], step: int) -> None:
        """Send figures by name; `step` counts the blocks of the run."""

    def close(self, *, succeeded: bool) -> None:
        """Send what is left, and how the run ended."""


class Trackers:
    """Trackers by name; one that fails is given up with a warning, and the run goes on."""

    def __init__(self, trackers: Mapping[str, Tracker]) -> None:
        self._trackers = dict(trackers)

    def config(self, settings: Mapping[str, Any]) -> None:
        """As each tracker's."""
        self._each("config", settings)

    def log(self, figures: Mapping[str, Any], step: int) -> None:
        """As each tracker's, for those figures that are numbers."""
        self._each("log", {k: float(v) for k, v in figures.items() if _is_number(v)}, step)

    def close(self, *, succeeded: bool) -> None:
        """As each tracker's."""
        self._each("close", succeeded=succeeded)
        self._trackers.clear()

    def _each(self, method: str, *args: Any, **named: Any) -> None:
        for name, tracker in list(self._trackers.items()):
            try:
                getattr(tracker, method)(*args, **named)
            except Exception as error:  # noqa: BLE001 - a run is worth more than its plots
                log.warning("%s is not told any more: %s", name, type(error).__name__)
                del self._trackers[name]


def open_trackers(names: Sequence[str], folder: Path, first_step: int) -> Trackers:
    """The trackers of those names that take up the run; those that do not are warned of.

    Raises DeviceError where the package of one is not installed.
    """
    opened = {name: _open(name, folder, first_step) for name in names}
    return Trackers({name: tracker for name, tracker in opened.items() if tracker is not None})


def kept_id(folder: Path, name: str) -> str | None:
    """The id that a run directory has with a tracker, None if it has none yet."""
    return _ids(folder).get(name)


def keep_id(folder: Path, name: str, run_id: str) -> None:
    """Note the id of a run with a tracker, so that the same is taken up next time."""
    with replacing(folder / TRACKERS) as aside:
        aside.write_text(json.dumps({**_ids(folder), name: run_id}) + "\n", encoding="utf-8")


def _ids(folder: Path) -> dict[str, str]:
    path = folder / TRACKERS
    return dict(json.loads(path.read_text("utf-8"))) if path.exists() else {}


def _open(name: str, folder: Path, first_step: int) -> Tracker | None:
    try:
        tracker: Tracker = importlib.import_module(f"trainer.trackers.{name}").open_tracker(
            folder, first_step
        )
    except ModuleNotFoundError as error:
        raise DeviceError(
            f"sending figures to {name} needs the package {error.name!r}, which is not installed; "
            f"install it, or leave {name} out of track"
        ) from error
    except Exception as error:  # noqa: BLE001 - as in Trackers: its server may be away for a while
        log.warning("%s did not take up the run: %s", name, type(error).__name__)
        return None
    return tracker


def _is_number(value: Any) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
