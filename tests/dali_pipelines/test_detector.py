"""A detector's rows become a box as its published code does it, by hand-worked numbers."""

import dataclasses
import hashlib
import math
import sys
from pathlib import Path

import numpy as np
import pytest

from dali_pipelines.cpu.roi import roi
from dali_pipelines.detector import detect, detector_thumbnail, load_detector
from dali_pipelines.errors import ConfigError, DeviceError
from dali_pipelines.loader import Loader
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import GivenBox
from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.thumbnail_settings import DetectorSettings
from tests.tiny_detector import ROWS, SIZE, Row, write_detector

# Cell (row 2, column 1) of the grid of 16 px: number 64 + 2 * 4 + 1. Its center is
# ((0.5 + 1) * 16, (0.25 + 2) * 16) = (24, 36), its sides are exp(0) * 16 and exp(ln 2) * 16.
CELL, ROW = 73, (0.5, 0.25, 0.0, math.log(2) + 1e-6, 0.9, 0.8)
LEVELS = np.zeros((SIZE, SIZE), np.int64)
NO_MODEL = DetectorSettings(sha256="0" * 64)


def found(folder: Path, rows: dict[int, Row], scale: float = 0.25, **changes: float) -> object:
    settings = dataclasses.replace(write_detector(folder, rows), **changes)
    return detect(LEVELS, scale, (256, 256), settings)


def test_a_row_is_a_box(tmp_path: Path) -> None:
    # (16, 20) to (32, 52) of the thumbnail, four times that of the image; a hair more is cut off
    assert found(tmp_path, {CELL: ROW}) == GivenBox(top=79, bottom=208, left=64, right=128)


def test_the_grids_of_all_strides_come_one_after_the_other(tmp_path: Path) -> None:
    fine = found(tmp_path, {8: (0.0, 0.0, 1.0, 1.0, 1.0, 1.0)}, min_area=0.0)
    half = 8 * math.e / 2  # its center is (0, 8)
    assert fine == GivenBox(0, int((8 + half) * 4), 0, int(half * 4))
    coarse = found(tmp_path, {ROWS - 1: (-0.5, -0.5, 0.0, 0.0, 1.0, 1.0)})
    assert coarse == GivenBox(0, 128, 0, 128)  # 0 to 32 px of the thumbnail


def test_the_best_score_counts_and_of_equal_ones_the_first(tmp_path: Path) -> None:
    better = (*ROW[:4], 0.9, 0.81)
    assert found(tmp_path, {CELL: ROW, CELL + 1: better}) == GivenBox(79, 208, 128, 192)
    assert found(tmp_path, {CELL: ROW, CELL + 1: ROW}) == GivenBox(79, 208, 64, 128)


def test_a_box_is_cut_at_the_frame(tmp_path: Path) -> None:
    large = (*ROW[:2], 3.0, 3.0, 1.0, 1.0)  # sides of 321 px
    assert found(tmp_path, {CELL: large}) == GivenBox(0, 256, 0, 256)
    endless = (*ROW[:2], 500.0, 500.0, 1.0, 1.0)
    assert found(tmp_path, {CELL: endless}) == GivenBox(0, 256, 0, 256)


@pytest.mark.parametrize(
    "row",
    [
        (*ROW[:4], 0.7, 0.7),  # 0.49
        (*ROW[:2], -3.0, 0.0, 1.0, 1.0),  # 1 by 16 px of 64 by 64
        (*ROW[:2], 0.0, 0.0, math.nan, 1.0),
        (math.nan, *ROW[1:]),
        (9.0, 9.0, 0.0, 0.0, 1.0, 1.0),  # outside of the image
    ],
)
def test_what_does_not_count_is_no_box(tmp_path: Path, row: Row) -> None:
    assert found(tmp_path, {CELL: row}) is None


def test_the_area_decides_from_4_percent_on(tmp_path: Path) -> None:
    # 65 by 129 px, of 256 by 256: 12.8 %
    assert found(tmp_path, {CELL: ROW}, min_area=64 * 129 / 256**2) is not None
    assert found(tmp_path, {CELL: ROW}, min_area=64 * 129 / 256**2 + 1e-6) is None


def test_the_network_sees_levels_at_the_upper_left_of_gray(tmp_path: Path) -> None:
    """The score is the mean over 255: 0.5 of 128 where 114 fills the other half."""
    settings = write_detector(tmp_path, {CELL: (*ROW[:4], 1.0, 1.0)}, by_input=True)
    half = np.full((SIZE, SIZE // 2), 142, np.int64)
    exact = (142 + 114) / 2 / 255
    for score, seen in ((exact - 1e-6, True), (exact + 1e-6, False)):
        box = detect(half, 0.25, (256, 128), dataclasses.replace(settings, score=score))
        assert (box is not None) is seen


def breast(value: int = 30000) -> np.ndarray:
    """A bright block (60 ... 140, 0 ... 50) on black, 200 by 100 px."""
    image = np.zeros((200, 100), np.uint16)
    image[60:140, :50] = value
    return image


def test_the_finder_takes_the_box_and_otsu_where_there_is_none(tmp_path: Path) -> None:
    model = write_detector(tmp_path, {CELL: (*ROW[:4], 1.0, 1.0)}, by_input=True)
    settings = RoiSettings("detector", mirror="none", detector=model)
    wanted = RoiSettings("otsu", mirror="none")
    bright, dark = np.full((200, 100), 65535, np.uint16), breast()
    first, second = roi([bright, dark], settings)
    # scale 0.32: 16 / 0.32 ... 32 / 0.32 by 20 / 0.32 ... 52 / 0.32
    assert (first.left, first.right, first.top, first.bottom) == (50, 100, 62, 162)
    assert first.found
    assert not first.mirror
    assert [second] == roi([dark], wanted)
    assert second.bottom - second.top < 100


def test_a_thumbnail_fits_the_square() -> None:
    small = detector_thumbnail((832, 416), DetectorSettings())
    assert (small.height, small.width, small.scale) == (416, 208, 0.5)


def test_the_hash_is_of_the_bytes_and_not_of_the_path() -> None:
    def hashed(**changes: object) -> str:
        model = dataclasses.replace(NO_MODEL, **changes)  # type: ignore[arg-type]
        return Recipe("r", roi=RoiSettings("detector", mirror="none", detector=model)).hash

    assert hashed(path="/elsewhere.onnx") == hashed()
    changed = ({"sha256": "1" * 64}, {"size": 640}, {"score": 0.4}, {"min_area": 0.1})
    assert len({hashed(), *(hashed(**change) for change in changed)}) == 5
    plain = Recipe("r", roi=RoiSettings("otsu", mirror="none"))
    other = Recipe("r", roi=RoiSettings("otsu", mirror="none", detector=NO_MODEL))
    assert plain.hash == other.hash


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match=r"roi\.detector\.sha256"):
        RoiSettings("detector", mirror="none")
    with pytest.raises(ValueError, match="multiple of 32"):
        DetectorSettings(size=100)
    with pytest.raises(ValueError, match="score"):
        DetectorSettings(score=0.0)


def test_a_model_that_is_not_the_one_is_refused_before_any_image(tmp_path: Path) -> None:
    model = write_detector(tmp_path, {})
    for other, words in (
        (dataclasses.replace(model, sha256="0" * 64), "another model"),
        (dataclasses.replace(model, path=str(tmp_path / "none.onnx")), "cannot be read"),
    ):
        recipe = Recipe("r", roi=RoiSettings("detector", mirror="none", detector=other))
        with pytest.raises(ConfigError, match=words):
            Loader([], recipe, device="cpu")


def test_what_is_no_model_of_that_layout_is_said(tmp_path: Path) -> None:
    wrong = write_detector(tmp_path, {}, shape=(ROWS, 6))
    with pytest.raises(ConfigError, match=r"gives values \(84, 6\), wanted \(1, 84, 6\)"):
        detect(LEVELS, 0.25, (256, 256), wrong)
    with pytest.raises(ConfigError, match=r"does not take images \(1, 3, 96, 96\)"):
        detect(LEVELS, 0.25, (256, 256), dataclasses.replace(wrong, size=96))
    (tmp_path / "text").write_bytes(b"no model")
    digest = hashlib.sha256(b"no model").hexdigest()
    with pytest.raises(ConfigError, match="no model that onnxruntime can run"):
        load_detector(DetectorSettings(str(tmp_path / "text"), digest))


def test_without_onnxruntime_it_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(DeviceError, match="needs onnxruntime, which is not installed") as error:
        load_detector(NO_MODEL)
    assert error.value.exit_code == 4
