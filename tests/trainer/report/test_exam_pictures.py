"""Pictures of phantoms as they hang: chest walls in the middle, top up, heat where it belongs."""

import base64
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from dali_pipelines.loader import Loader
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.manifest import read_manifest
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.roi_settings import RoiSettings
from trainer.report import exam_pictures
from trainer.report.exam_pictures import Painter, Picture

SIZE = ResizeSettings(size=(64, 48))
MIRRORED = Recipe("mirrored", roi=RoiSettings(mirror="chest-left"), resize=SIZE)
AS_STORED = Recipe("as stored", roi=RoiSettings(mirror="none"), resize=SIZE)


def pixels(uri: str) -> np.ndarray:
    """The picture in a data: URI, (H, W) or (H, W, 3)."""
    kind, _, content = uri.partition(",")
    assert kind == "data:image/jpeg;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(content)))).astype(float)


def one_patient(manifest: Path) -> pd.DataFrame:
    frame = read_manifest(manifest)
    return frame[frame["patient_id"] == frame["patient_id"].min()].reset_index(drop=True)


def paint(frame: pd.DataFrame, scorers, weight: float = 1.0) -> dict[str, Picture]:
    quick = LoaderSettings(isolation="thread", readers=1, threads=1)
    painter = Painter(scorers.members[0], Loader, "cpu", quick)
    return painter.paint(frame, dict.fromkeys(frame["image_id"], weight))


@pytest.mark.parametrize("recipe", [MIRRORED, AS_STORED], ids=["mirrored", "as stored"])
def test_the_breast_is_at_the_middle_of_the_hanging(
    phantom_manifest: Path, toy_scorers, recipe: Recipe
) -> None:
    frame = one_patient(phantom_manifest)
    pictures = paint(frame, toy_scorers(recipe))
    assert set(pictures) == set(frame["image_id"])
    for row in frame.itertuples():
        gray = pixels(pictures[row.image_id].plain)
        # the edge at the middle is chest wall from top to bottom, the other one air at its corners
        left, right = gray[:, :3].mean(), gray[:, -3:].mean()
        assert (right > left + 10) if row.laterality == "R" else (left > right + 10)


def test_both_recipes_hang_a_breast_alike(phantom_manifest: Path, toy_scorers) -> None:
    frame = one_patient(phantom_manifest)
    mirrored, stored = (paint(frame, toy_scorers(r)) for r in (MIRRORED, AS_STORED))
    for name in mirrored:
        one, other = pixels(mirrored[name].plain), pixels(stored[name].plain)
        # padded at opposite sides, so only the sums of rows are to be compared
        assert np.abs(one.sum(axis=1) - other.sum(axis=1)).max() < 0.05 * one.sum(axis=1).max()


def test_a_heat_map_of_no_weight_leaves_the_picture_gray(
    phantom_manifest: Path, toy_scorers
) -> None:
    frame = one_patient(phantom_manifest)[:1]
    name = frame["image_id"][0]
    cold, hot = (paint(frame, toy_scorers(MIRRORED), w)[name] for w in (0.0, 1.0))
    spread = np.ptp(pixels(cold.heat), axis=2)
    assert spread.max() <= 3  # JPEG's chroma rounds
    assert np.abs(pixels(cold.heat)[..., 0] - pixels(cold.plain)).max() <= 6
    assert pixels(hot.heat).shape == (64, 48, 3)
    assert (hot.width, hot.height) == (48, 64)
    assert (cold.note, hot.note) == ("too faint to be seen", "")


def test_a_picture_in_which_nothing_spoke_for_cancer_says_so(
    phantom_manifest: Path, toy_scorers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        exam_pictures, "grad_cam", lambda _m, images, _p: np.zeros((len(images), 64, 48))
    )
    (picture,) = paint(one_patient(phantom_manifest)[:1], toy_scorers(MIRRORED)).values()
    assert picture.note == "nothing spoke for cancer here"


def test_views_of_a_unit_are_painted_together(phantom_manifest: Path, toy_scorers) -> None:
    frame = one_patient(phantom_manifest)[:3]
    assert len(paint(frame, toy_scorers(MIRRORED, unit="breast"))) == 3


def test_an_image_that_cannot_be_read_has_no_picture(phantom_manifest: Path, toy_scorers) -> None:
    frame = one_patient(phantom_manifest)
    gone = frame["image_id"][0]
    frame.loc[0, "path"] = "/nowhere/at/all.dcm"
    assert gone not in paint(frame, toy_scorers(MIRRORED))
