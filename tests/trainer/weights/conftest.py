"""Packages that are there while a file is written and gone when it is read."""

import importlib
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest


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
