"""Progress of the passes: each has the name of its phase, in turn."""

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from cli.watched import TRAIN, Watched


@pytest.fixture
def loader() -> Any:
    """Gives a batch for each block, and rejects the first image of each."""
    rejects: list[str] = []

    def run(blocks: Any) -> Iterator[Any]:
        for block in blocks:
            rejects.append("one")
            yield SimpleNamespace(indices=block)

    return SimpleNamespace(run=run, rejects=rejects)


def test_each_pass_has_the_name_of_its_phase(
    loader: Any, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "mammo")
    watched = Watched(loader, TRAIN)
    for blocks in (np.array([[0, 1], [2, -1]]), np.array([[3, 4]]), np.array([[0, 1]])):
        assert len(list(watched.run(blocks))) == len(blocks)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["train", "3/3"], ["validate", "2/2"], ["train", "2/2"]
    ]  # fmt: skip
    assert lines[0].endswith("rejected 2")
