"""Weight files as their authors' code writes them, with random numbers in them."""

import importlib
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch import nn

OMEGACONF = '''
    """Objects as those that omegaconf pickles: a list whose parents drag the whole config in."""
    from collections import defaultdict
    from typing import Any

    class ContainerMetadata:
        def __init__(self):
            self.ref_type, self.object_type, self.optional = Any, list, True
            self.element_type, self.flags = int, defaultdict(dict, {"readonly": None})

    class AnyNode:
        def __init__(self, value, parent):
            self.__dict__.update(_val=value, _parent=parent, _metadata=ContainerMetadata())

    class ListConfig:
        def __init__(self, values):
            parent = AnyNode("config", None)
            content = [AnyNode(value, self) for value in values]
            self.__dict__.update(_content=content, _parent=parent, _metadata=ContainerMetadata())
'''


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., ModuleType]]:
    """`foreign(name, text or file)` makes an importable module; `foreign()` takes all away."""
    folder = tmp_path / "site-packages"
    names: list[str] = []

    def forget() -> None:
        for name in [n for n in sys.modules if n.partition(".")[0] in names]:
            del sys.modules[name]
        shutil.rmtree(folder, ignore_errors=True)
        importlib.invalidate_caches()

    def make(name: str = "", source: str | Path = "") -> ModuleType | None:
        if not name:
            return forget()
        path = folder.joinpath(*name.split(".")).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source.read_text() if isinstance(source, Path) else textwrap.dedent(source))
        names.append(name.partition(".")[0])
        importlib.invalidate_caches()
        return importlib.import_module(name)

    monkeypatch.syspath_prepend(folder)
    yield make  # type: ignore[misc]
    forget()


@pytest.fixture
def randomized() -> Callable[[nn.Module], nn.Module]:
    """Sets every number of a network at random, batch norms' statistics too, and to float64."""

    def randomize(network: nn.Module, seed: int = 0) -> nn.Module:
        network = network.double().eval()
        generator = torch.Generator().manual_seed(seed)
        for name, value in network.state_dict().items():
            if not value.is_floating_point():
                continue
            noise = torch.randn(value.shape, generator=generator, dtype=value.dtype)
            fan = max(1, value[0].numel()) if value.ndim > 1 else 1
            centered = value.ndim > 1 or name.endswith(("bias", "running_mean"))
            value.copy_(noise * (1.5 / fan) ** 0.5 * 0.7 if value.ndim > 1 else 0.1 * noise)
            if not centered:
                value.add_(1)
        return network

    return randomize
