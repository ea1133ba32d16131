"""Progress of the passes: each has the name of its phase, in turn."""

from collections.abc import Iterator
from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import dali_pipelines.loader
from cli.watched import TRAIN, Watched, open_watched
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.stages import Roi


def roi_of(index: int) -> Roi | None:
    """Image 0 has no breast, image 4 cannot be read, index -1 is no image."""
    return None if index in {4, -1} else Roi(0, 9, 0, 9, found=index > 0)


@pytest.fixture
def loader() -> Any:
    """Gives a batch for each block, and rejects the first image of each."""
    rejects: dict[str, str] = {}

    def run(blocks: Any) -> Iterator[Any]:
        for block in blocks:
            rejects[str(len(rejects))] = "one"
            yield SimpleNamespace(indices=block, rois=tuple(map(roi_of, block.tolist())))

    return SimpleNamespace(run=run, rejects_by_id=rejects)


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


@pytest.mark.parametrize("method", ["auto", "none"])
def test_images_without_a_breast_are_one_warning_at_the_end(
    method: Any,
    loader: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(dali_pipelines.loader, "Loader", lambda *_: nullcontext(loader))
    recipe = Recipe("r", roi=RoiSettings(method=method, mirror="none"))
    with open_watched([], recipe, LoaderSettings(), "cpu", phases=TRAIN) as watched:
        for blocks in (np.array([[0, 1], [2, -1]]), np.array([[3, 4]]), np.array([[0, 1]])):
            list(watched.run(blocks))
        assert "no breast" not in caplog.text
    said = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    wanted = "no breast was found in 1 of 4 images; the whole frame was taken"
    assert said == ([f"{wanted} (mammo preview shows them)"] if method == "auto" else [])
