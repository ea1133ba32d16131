import socket
from collections.abc import Callable

import pytest
import torch
from torch import nn

from trainer.networks.arguments import model_args
from trainer.networks.build import build_model
from trainer.networks.settings import ModelSettings


@pytest.fixture(autouse=True)
def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a model reached for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


@pytest.fixture
def build() -> Callable[..., nn.Module]:
    """build("test_resnet", channels=3, size=(64, 64), outputs=1, pool="max", ...) -> network."""

    def make(
        name: str,
        channels: int = 1,
        size: tuple[int, int] = (64, 48),
        outputs: int = 1,
        **settings: object,
    ) -> nn.Module:
        torch.manual_seed(0)
        return build_model(model_args(ModelSettings(name, **settings), channels, size, outputs))

    return make
