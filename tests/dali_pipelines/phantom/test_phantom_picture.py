"""Finished pictures: lesions where they are said to be, labels, values that use the bits."""

import dataclasses

import numpy as np
import pytest

from dali_pipelines.phantom.anatomy import Grid
from dali_pipelines.phantom.detector import VENDORS
from dali_pipelines.phantom.lesions import Lesion, add_lesion, draw_lesion
from dali_pipelines.phantom.marker import draw_marker
from dali_pipelines.phantom.patients import IMAGES, ImagePlan, PhantomSettings, draw_patient
from dali_pipelines.phantom.picture import Picture, draw_picture

SETTINGS = PhantomSettings(patients=6, prevalence=1.0, height=256, width=208, syntax="raw")


def draw(number: int, index: int, settings: PhantomSettings = SETTINGS) -> Picture:
    return draw_picture(settings, ImagePlan(draw_patient(settings, number), index))


def upright(picture: Picture) -> np.ndarray:
    """Stored values with bright tissue high, whatever the photometric interpretation."""
    values = picture.values.astype(np.int64)
    if picture.header.photometric == "MONOCHROME1":
        return (1 << picture.header.precision) - 1 - values
    return values


@pytest.mark.parametrize("kind", ["mass", "calcification"])
def test_a_lesion_is_added_around_its_center_and_only_to_tissue(kind: str) -> None:
    grid = Grid(200, 160, 0.5)
    tissue = np.full(grid.shape, 0.3, np.float32)
    tissue[:, 100:] = 0
    rng = np.random.default_rng(0)
    lesion = draw_lesion(rng, kind)
    after = tissue.copy()
    add_lesion(rng, after, grid, lesion, (50.0, 47.0))
    added = after - tissue
    assert added.min() == 0
    assert added[:, 100:].max() == 0  # air stays air
    rows, columns = np.nonzero(added > 0.02)
    far = np.hypot((rows + 0.5) * 0.5 - 50, (columns + 0.5) * 0.5 - 47)
    assert far.max() < 2.5 * lesion.radius_mm
    assert added.max() > 0.5 * lesion.contrast


def test_a_cluster_has_its_specks() -> None:
    grid = Grid(400, 400, 0.1)
    lesion = Lesion("calcification", 0.5, (0, 0), 8.0, 0.5, specks=12)
    tissue = np.full(grid.shape, 0.3, np.float32)
    add_lesion(np.random.default_rng(3), tissue, grid, lesion, (20.0, 20.0))
    middle = tissue[1:-1, 1:-1]
    around = np.stack(
        [np.roll(tissue, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1) if i or j]
    )
    peaks = (middle > around.max(0)[1:-1, 1:-1]) & (middle > 0.45)
    assert 9 <= peaks.sum() <= 12  # two specks may touch


@pytest.mark.parametrize("number", range(6))
def test_marks_lie_on_what_was_added(number: int) -> None:
    patient = draw_patient(SETTINGS, number)
    healthy = dataclasses.replace(patient, lesions=(), cancer_side="")
    for index, (side, _) in enumerate(IMAGES):
        picture = draw_picture(SETTINGS, ImagePlan(patient, index))
        assert len(picture.marks) == (len(patient.lesions) if side == patient.cancer_side else 0)
        if not picture.marks:
            continue
        # The tissue comes from the generator before the lesions, so only they and noise differ.
        without = draw_picture(SETTINGS, ImagePlan(healthy, index))
        full = (1 << picture.header.precision) - 1
        brighter = (upright(picture) - upright(without)) / full
        for mark in picture.marks:
            row, column = round(mark.row_px), round(mark.column_px)
            reach = int(mark.radius_px) + 1
            there = brighter[row - reach : row + reach + 1, column - reach : column + reach + 1]
            assert there.max() > 0.12
        assert np.abs(np.median(brighter)) < 0.01


def test_both_views_show_a_lesion_at_the_same_distance_from_the_chest_wall() -> None:
    patient = draw_patient(SETTINGS, 1)
    indices = [i for i, (side, _) in enumerate(IMAGES) if side == patient.cancer_side]
    cc, mlo = (draw(1, index).marks for index in indices)
    for mark in range(len(cc)):
        assert cc[mark].kind == mlo[mark].kind
        assert cc[mark].radius_px == mlo[mark].radius_px
        assert abs(cc[mark].column_px - mlo[mark].column_px) < 0.08 * SETTINGS.width


@pytest.mark.parametrize("number", range(len(VENDORS)))
@pytest.mark.parametrize("index", range(4))
def test_the_breast_lies_at_the_chest_wall_of_its_side(number: int, index: int) -> None:
    picture = draw(number, index)
    shown = upright(picture) > 0.06 * (1 << picture.header.precision)
    left, right = shown[40:, :30].mean(), shown[40:, -30:].mean()
    assert (left > 0.4) == (right == 0) == (IMAGES[index][0] == "L")
    assert (right > 0.4) == (left == 0) == (IMAGES[index][0] == "R")


@pytest.mark.parametrize("number", range(len(VENDORS)))
def test_values_use_the_bits_and_the_background_is_the_padding(number: int) -> None:
    vendor = VENDORS[number]
    picture = draw(number, 0)
    full = vendor.full
    assert picture.header.precision == vendor.precision
    assert picture.header.padding == {"MONOCHROME1": full, "MONOCHROME2": 0}[
        vendor.photometric
    ] or (not vendor.padded and picture.header.padding is None)
    outside = picture.values[100:, -20:]
    if vendor.padded:
        assert (outside == picture.header.padding).all()
    else:
        assert 0 < outside.std() < 0.01 * full  # air with noise
    breast = upright(picture)[100:150, 5:60] / full
    assert 0.12 < np.quantile(breast, 0.02) < np.quantile(breast, 0.98) < 0.9
    assert np.unique(picture.values).size > 200


@pytest.mark.parametrize("number", range(len(VENDORS)))
def test_the_first_window_holds_the_tissue(number: int) -> None:
    picture = draw(number, 0)
    header = picture.header
    assert len(header.windows) == VENDORS[number].windows
    window = header.windows[0]
    breast = picture.values[100:150, 5:60].astype(float)
    share = (breast - window.center) / window.width + 0.5
    assert np.quantile(share, 0.02) >= 0
    assert np.quantile(share, 0.98) <= 1
    assert np.ptp(np.quantile(share, [0.02, 0.98])) > 0.1


def test_vendors_cover_the_formats() -> None:
    assert {v.precision for v in VENDORS} == {10, 12, 14, 16}
    assert {v.photometric for v in VENDORS} == {"MONOCHROME1", "MONOCHROME2"}
    assert {v.function for v in VENDORS} == {None, "LINEAR", "LINEAR_EXACT", "SIGMOID"}
    assert max(v.windows for v in VENDORS) > 1


def test_the_label_is_burned_in_bright_and_on_the_free_side() -> None:
    for index, (side, view) in enumerate(IMAGES):
        marker = draw_marker((256, 208), f"{side} {view}")
        columns = np.nonzero(marker.any(0))[0]
        assert (columns.min() > 104) if side == "L" else (columns.max() < 104)
        picture = draw(0, index)
        assert (upright(picture)[marker] > 0.95 * VENDORS[0].full).all()


def test_the_label_spells_the_view() -> None:
    mask = draw_marker((100, 100), "L CC")
    rows, columns = np.nonzero(mask)
    box = mask[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    assert box.shape == (7 + 6, 4 * 6 - 1 + 6)
    assert box[[0, -1]].all()
    assert box[:, [0, -1]].all()
    letter = ["".join(".#"[dot] for dot in row) for row in box[3:10, 3:8].astype(int)]
    assert letter == ["#....", "#....", "#....", "#....", "#....", "#....", "#####"]


@pytest.mark.parametrize("size", [(64, 64), (64, 300), (1100, 77), (513, 417)])
def test_any_size_is_drawn(size: tuple[int, int]) -> None:
    settings = PhantomSettings(patients=1, prevalence=1.0, height=size[0], width=size[1])
    for index in range(4):
        assert draw(0, index, settings).values.shape == size


def test_jpegls_images_have_16_bits_whoever_made_them() -> None:
    picture = draw(0, 0, dataclasses.replace(SETTINGS, syntax="jpegls"))
    assert picture.header.precision == 16
    assert picture.values.max() > 1 << 14


@pytest.mark.parametrize("number", range(2))
@pytest.mark.parametrize("index", range(len(IMAGES)))
def test_the_breast_is_where_the_picture_is_not_air(number: int, index: int) -> None:
    picture = draw(number, index)
    shown = upright(picture)
    label = draw_marker(shown.shape, f"{picture.header.laterality} {picture.header.view}")
    air = shown[~picture.breast & ~label]
    assert air.max() < shown[picture.breast].min() + 1
    chest_wall = 0 if picture.header.laterality == "L" else -1
    assert picture.breast[:, chest_wall].any()
    assert not picture.breast[:, -1 - chest_wall].any()
    assert 0.2 < picture.breast.mean() < 0.8
