"""The GPU steps without a GPU, where g++ compiles their kernels for this CPU, and with one.

Tests of `each_device` run twice: on the host, and, marked `gpu`, on the GPU that torch finds.
"""

import os
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from dali_pipelines.cpu.decode import decode
from dali_pipelines.errors import DeviceError
from dali_pipelines.gpu.device import use_device
from dali_pipelines.loader import Loader
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.manifest import read_manifest
from dali_pipelines.manifest_rows import to_records
from dali_pipelines.multi_loader import MultiLoader
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.verdicts import guarded
from tests.dali_pipelines.gpu.compared_batches import RECIPE
from tests.dali_pipelines.gpu.emulated_dali import EmulatedDali
from tests.dali_pipelines.gpu.host_device import HostDevice, compiler
from tests.dali_pipelines.gpu.real_device import RealDevice


def _skip_or_fail(message: str, variable: str) -> None:
    if os.environ.get(variable) == "1":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def _host_kernels() -> HostDevice:
    if compiler() is None:
        _skip_or_fail("kernels cannot run on this CPU: that takes g++ on Linux", "REQUIRE_SHARED")
    return HostDevice()


@pytest.fixture(scope="session")
def real_device() -> RealDevice:
    """The GPU; skips without one, fails without one under REQUIRE_GPU=1. Nothing is put in place.

    For tests marked `gpu`.
    """
    try:
        return RealDevice(torch.cuda.current_device() if torch.cuda.is_available() else 0)
    except DeviceError as error:
        _skip_or_fail(str(error), "REQUIRE_GPU")
        raise


@pytest.fixture
def host_device(_host_kernels: HostDevice) -> Iterator[HostDevice]:
    """The device of the GPU steps during a test; `launched` lists what the test has launched."""
    _host_kernels.launched.clear()
    with use_device(_host_kernels):
        yield _host_kernels


@pytest.fixture(params=["host", pytest.param("cuda", marks=pytest.mark.gpu)])
def each_device(request: pytest.FixtureRequest) -> Iterator[HostDevice | RealDevice]:
    """As `host_device`, on the host and on the GPU in turn."""
    name = "_host_kernels" if request.param == "host" else "real_device"
    device: HostDevice | RealDevice = request.getfixturevalue(name)
    device.launched.clear()
    with use_device(device):
        yield device
        if device.torch_device.type == "cuda":
            torch.cuda.synchronize()  # a fault of a kernel belongs to the test that launched it


@pytest.fixture
def records(phantom_manifest: Path) -> list[ImageRecord]:
    """Twelve phantoms in mixed syntaxes."""
    return to_records(read_manifest(phantom_manifest))[:12]


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """gpu(records, recipe, fault=..., **settings) -> a loader whose GPU is emulated.

    Of several recipes it is a MultiLoader.
    """
    loaders = []

    def decode_here(decoder, item):  # a child takes a second to start
        decoder.counts[f"imagecodecs {item.record.stream.kind}"] += 1
        return guarded(partial(decode, item))

    def make(records, recipe=RECIPE, fault=None, sound=True, **settings):
        recipes = [recipe] if isinstance(recipe, Recipe) else recipe
        if all(one.decode.reduce == 0 for one in recipes):
            monkeypatch.setattr("dali_pipelines.decoder.Decoder.decode_alone", decode_here)
        monkeypatch.setattr("dali_pipelines.steps._missing_for_gpu", lambda: "")
        monkeypatch.setattr("dali_pipelines.gpu.decoder.can_decode_lossless", lambda: sound)
        monkeypatch.setattr("dali_pipelines.gpu.decoder._new_dali", lambda _: EmulatedDali(fault))
        kind = Loader if isinstance(recipe, Recipe) else MultiLoader
        loader = kind(records, recipe, LoaderSettings(threads=2, **settings), "gpu")
        loaders.append(loader)
        return loader

    yield make
    for loader in loaders:
        loader.close()
