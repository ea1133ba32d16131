"""The GPU steps without a GPU: g++ compiles their kernels for this CPU."""

import os
from collections.abc import Iterator

import pytest

from dali_pipelines.gpu.device import use_device
from tests.dali_pipelines.gpu.host_device import HostDevice, compiler


@pytest.fixture(scope="session")
def _host_kernels() -> HostDevice:
    if compiler() is None:
        message = "kernels cannot run on this CPU: that takes g++ on Linux"
        if os.environ.get("REQUIRE_SHARED") == "1":
            pytest.fail(message)
        pytest.skip(message)
    return HostDevice()


@pytest.fixture
def host_device(_host_kernels: HostDevice) -> Iterator[HostDevice]:
    """The device of the GPU steps during a test; `launched` lists what the test has launched."""
    _host_kernels.launched.clear()
    with use_device(_host_kernels):
        yield _host_kernels
