"""What the tests of benchmarks share: tiny jobs, and contenders that run in this process."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from benchmarks.images import Images
from benchmarks.job import Job
from benchmarks.timing import Measurement, Sample
from dali_pipelines.recipe import load_recipe

SIZE = (128, 104)


@pytest.fixture(autouse=True)
def one_thread_of_torch(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Networks this small are done sooner by one, and the tests that follow keep their own."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    monkeypatch.setattr(torch, "set_num_threads", lambda threads: None)
    yield
    monkeypatch.undo()
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def make_job(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Job]:
    """make_job("j2k", count=3) -> a job on tiny phantoms in that syntax, two at a time."""

    def make(syntax: str, count: int = 3) -> Job:
        folder = tmp_path_factory.mktemp("images") / syntax
        records = Images((), SIZE, count).records(syntax, folder)
        recipe = load_recipe("demo", ["resize.size=[64, 32]"])
        return Job(records, recipe, batch=2, threads=2, model="test_resnet")

    return make


@pytest.fixture
def measure_here() -> Callable[..., dict[str, Measurement | str]]:
    """Stands in for `apart.measure`: the contenders do their passes, but in this process.

    Repeat k takes k + 1 seconds of wall time and twice that of CPU time.
    """

    def measure(
        contenders: Any, repeats: int, on_pass: Callable[[], object] = lambda: None
    ) -> dict[str, Measurement | str]:
        found: dict[str, Measurement | str] = {}
        for contender in contenders:
            with contender.open_pass(contender.job) as work:
                for _ in range(repeats + 1):
                    work()
                    on_pass()
            samples = tuple(Sample(k + 1.0, 2 * (k + 1.0)) for k in range(repeats))
            found[contender.name] = Measurement(samples, 100.0, 125.4)
        return found

    return measure


@pytest.fixture
def tiny_dicom(tmp_path: Path) -> Path:
    """A folder of four tiny images."""
    Images((), SIZE, 4).records("jpegls", tmp_path / "dicom")
    return tmp_path / "dicom" / "images"
