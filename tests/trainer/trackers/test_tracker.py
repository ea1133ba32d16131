"""What every tracker is promised, with fakes of the two packages that speak to a server."""

import builtins
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from dali_pipelines.errors import DeviceError
from trainer.trackers.tracker import Trackers, keep_id, kept_id, open_trackers


class _Recorder:
    def __init__(self, broken: bool = False) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self._broken = broken

    def config(self, settings: Any) -> None:
        self.calls.append(("config", settings))

    def log(self, figures: Any, step: int) -> None:
        if self._broken:
            raise OSError("patient 17 is not at this address")
        self.calls.append(("log", figures, step))

    def close(self, *, succeeded: bool) -> None:
        self.calls.append(("close", succeeded))


def test_one_that_fails_is_given_up_and_the_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    good, bad = _Recorder(), _Recorder(broken=True)
    trackers = Trackers({"bad": bad, "good": good})
    trackers.config({"seed": 1})
    trackers.log({"auroc": 0.5, "n": 3, "none": None, "name": "x", "flag": True}, 4)
    trackers.log({"auroc": 0.6}, 8)
    trackers.close(succeeded=True)
    trackers.log({"auroc": 0.7}, 12)
    assert good.calls == [
        ("config", {"seed": 1}),
        ("log", {"auroc": 0.5, "n": 3.0}, 4),
        ("log", {"auroc": 0.6}, 8),
        ("close", True),
    ]
    assert bad.calls == [("config", {"seed": 1})]
    assert caplog.messages == ["bad is not told any more: OSError"]


def test_ids_of_several_trackers_stay_apart(tmp_path: Path) -> None:
    assert kept_id(tmp_path, "a") is None
    keep_id(tmp_path, "a", "1")
    keep_id(tmp_path, "b", "2")
    keep_id(tmp_path, "a", "3")
    assert (kept_id(tmp_path, "a"), kept_id(tmp_path, "b")) == ("3", "2")


@pytest.mark.parametrize(
    ("name", "package"), [("tensorboard", "tensorboard"), ("wandb", "wandb"), ("mlflow", "mlflow")]
)
def test_a_missing_package_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, package: str
) -> None:
    real = builtins.__import__

    def without(wanted: str, *args: Any) -> ModuleType:
        if wanted.partition(".")[0] == package:
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
        return real(wanted, *args)

    for module in [m for m in sys.modules if m.startswith((package, "torch.utils.tensorboard"))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.delitem(sys.modules, f"trainer.trackers.{name}", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DeviceError, match=rf"needs the package '{package}'.*leave {name} out"):
        open_trackers([name], tmp_path, 0)


class _Server:
    """What both services keep of a run: points by name, and its settings."""

    def __init__(self) -> None:
        self.points: dict[str, list[tuple[int, float]]] = {}
        self.settings: dict[str, Any] = {}
        self.asked: dict[str, Any] = {}
        self.ended: list[Any] = []


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Server]:
    """A stand-in: one step at a time, in order; a run taken up stands behind its last one."""
    server = _Server()

    class Run:
        def __init__(self) -> None:
            steps = [step for points in server.points.values() for step, _ in points]
            self.step = max(steps, default=-1) + 1
            self.config = SimpleNamespace(
                update=lambda values, allow_val_change: server.settings.update(values)
            )

        def log(self, figures: dict[str, float], step: int) -> None:
            assert step >= self.step, "it would be dropped with a warning"
            self.step = step
            for name, value in figures.items():
                server.points.setdefault(name, []).append((step, value))

        def finish(self, exit_code: int) -> None:
            server.ended.append(exit_code)

    def init(**asked: Any) -> Run:
        assert asked["resume"] == "allow"
        assert server.asked.get("id", asked["id"]) == asked["id"]
        server.asked = asked
        return Run()

    fake = ModuleType("wandb")
    fake.init, fake.Settings = init, lambda **values: values  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "wandb", fake)
    yield server
    sys.modules.pop("trainer.trackers.wandb", None)


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> Iterator[_Server]:
    """A stand-in: it keeps all it is sent, and a parameter cannot change."""
    server = _Server()

    class Client:
        def get_experiment_by_name(self, name: str) -> None:
            assert name == "mammostream"

        def create_experiment(self, name: str) -> str:
            return f"id of {name}"

        def create_run(self, experiment: str, run_name: str) -> Any:
            assert not server.asked, "one run directory is one run"
            server.asked = {"experiment": experiment, "name": run_name}
            return SimpleNamespace(info=SimpleNamespace(run_id="r1"))

        def update_run(self, run_id: str, status: str) -> None:
            assert (run_id, status) == ("r1", "RUNNING")

        def log_batch(self, run_id: str, metrics: Any = (), params: Any = ()) -> None:
            assert run_id == "r1"
            assert len(params) <= 100
            assert not {name for name, _ in params} & server.settings.keys()
            server.settings |= dict(params)
            for name, value, _, step in metrics:
                server.points.setdefault(name, []).append((step, value))

        def get_metric_history(self, run_id: str, name: str) -> Any:
            return [SimpleNamespace(step=step) for step, _ in server.points.get(name, [])]

        def set_terminated(self, run_id: str, status: str) -> None:
            server.ended.append(status)

    root, entities, tracking = map(ModuleType, ("mlflow", "mlflow.entities", "mlflow.tracking"))
    entities.Metric = lambda *values: values  # type: ignore[attr-defined]
    entities.Param = lambda *values: values  # type: ignore[attr-defined]
    tracking.MlflowClient = Client  # type: ignore[attr-defined]
    for module in (root, entities, tracking):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    yield server
    sys.modules.pop("trainer.trackers.mlflow", None)


SETTINGS = {"seed": 1, "optim": {"lr": 0.1, "betas": (0.9, 0.99)}}


def _run(name: str, folder: Path, first: int, steps: range) -> None:
    trackers = open_trackers([name], folder, first)
    trackers.config(SETTINGS)
    for step in steps:
        trackers.log({"loss": float(step)}, step)
        trackers.log({"timing/seconds": 1.0}, step)
    trackers.close(succeeded=True)


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_run_that_was_taken_up_has_each_point_once(
    name: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    server: _Server = request.getfixturevalue(name)
    folder = tmp_path / "first"
    folder.mkdir()
    _run(name, folder, 0, range(1, 6))
    _run(name, folder, 4, range(4, 9))
    assert server.points["loss"] == [(step, float(step)) for step in range(1, 9)]
    assert [step for step, _ in server.points["timing/seconds"]] == list(range(1, 9))
    assert server.asked["name"] == "first"
    assert len(server.ended) == 2


def test_wandb_is_told_to_send_nothing_by_itself(wandb: _Server, tmp_path: Path) -> None:
    _run("wandb", tmp_path, 0, range(1, 2))
    told = wandb.asked["settings"]
    quiet = ("disable_code", "disable_git", "x_disable_machine_info", "x_disable_meta")
    assert told["console"] == "off"
    assert all(told[name] for name in quiet)
    assert wandb.asked["dir"] == str(tmp_path)
    assert wandb.settings == SETTINGS
    assert wandb.ended == [0]


def test_mlflow_gets_settings_by_their_dotted_names(mlflow: _Server, tmp_path: Path) -> None:
    _run("mlflow", tmp_path, 0, range(1, 2))
    wanted = {"seed": "1", "optim.lr": "0.1", "optim.betas": "(0.9, 0.99)"}
    assert mlflow.settings == wanted
    assert mlflow.ended == ["FINISHED"]
    tracker = open_trackers(["mlflow"], tmp_path, 2)
    tracker.config({f"many{i}": i for i in range(250)})
    assert mlflow.settings == wanted, "parameters of a run cannot change"
    (tmp_path / "trackers.json").unlink()
    mlflow.asked = {}
    open_trackers(["mlflow"], tmp_path, 0).config({f"many{i}": i for i in range(250)})
    assert len(mlflow.settings) == 253


def test_a_server_that_is_away_does_not_keep_a_run_from_going_on(
    wandb: _Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    wandb.asked = {"id": "another"}  # the stand-in then refuses
    _run("wandb", tmp_path, 0, range(1, 3))
    assert caplog.messages == ["wandb did not take up the run: AssertionError"]
    assert wandb.points == {}
