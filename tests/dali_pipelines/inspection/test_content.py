"""Content flags on drawn pictures of which the truth is known, and on phantoms turned about."""

from collections.abc import Callable

import numpy as np
import pytest

from dali_pipelines.inspection.content import (
    SATURATED_SHARE,
    border_level,
    chest_side,
    expected_side,
    look_at,
)
from dali_pipelines.rejects.flag_texts import FLAG_TEXTS
from dali_pipelines.stages import Roi
from dali_pipelines.verdicts import Flag

SHAPE = (512, 400)


def breast(level: int = 20000, side: str = "left") -> np.ndarray:
    """A half ellipse of mottled tissue against one edge, on black."""
    rows, columns = np.mgrid[: SHAPE[0], : SHAPE[1]]
    inside = ((rows - 256) / 200) ** 2 + (columns / 250) ** 2 <= 1
    tissue = level + np.random.default_rng(0).integers(0, 2000, SHAPE)
    drawn = np.where(inside, tissue, 0).astype(np.uint16)
    return drawn if side == "left" else drawn[:, ::-1].copy()


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_plain_picture_has_no_flag(side: str, record_of: Callable) -> None:
    found = look_at(breast(side=side), record_of(laterality=side[0].upper()).tags)
    assert found.flags == ()
    assert found.chest_side == found.expected_side == side
    assert found.border == 0
    assert 0 < found.saturated < 0.02


@pytest.mark.parametrize("value", [0, 700, 65535])
def test_one_value_is_constant_and_nothing_else(value: int, record_of: Callable) -> None:
    found = look_at(np.full(SHAPE, value, np.uint16), record_of(laterality="R").tags)
    assert found.flags == (Flag.CONSTANT,)
    assert found.chest_side == ""


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_negative_has_a_bright_background_whatever_its_side(
    side: str, record_of: Callable
) -> None:
    assert Flag.BACKGROUND_BRIGHT in look_at(65535 - breast(side=side), record_of().tags).flags


def test_a_bright_frame_line_is_no_bright_background(record_of: Callable) -> None:
    framed = breast()
    framed[:4] = framed[-4:] = 65535
    framed[:, :4] = framed[:, -4:] = 65535
    assert border_level(framed) == 0
    assert Flag.BACKGROUND_BRIGHT not in look_at(framed, record_of().tags).flags


def test_muscle_along_the_top_is_no_bright_background() -> None:
    oblique = breast(60000)
    oblique[:40] = 60000  # as wide as the picture, brighter than half
    assert border_level(oblique) == 0


def test_a_picture_of_a_speck_has_no_breast(record_of: Callable) -> None:
    speck = np.zeros(SHAPE, np.uint16)
    speck[100:130, 100:130] = np.arange(900, dtype=np.uint16).reshape(30, 30) + 30000
    found = look_at(speck, record_of(laterality="L").tags)
    assert found.flags == (Flag.NO_BREAST,)
    assert found.chest_side == ""


@pytest.mark.parametrize(("share", "flagged"), [(0.05, True), (0.005, False)])
def test_tissue_cut_off_at_the_top_is_saturated(
    share: float, flagged: bool, record_of: Callable
) -> None:
    picture = breast()
    inside = np.flatnonzero(picture)
    picture.ravel()[inside[: int(share * 512 * 400 * 0.4)]] = 40000  # the box is 0.49 of the frame
    found = look_at(picture, record_of().tags)
    assert (Flag.SATURATED in found.flags) is flagged
    assert found.saturated == pytest.approx(share * 0.4 / 0.49, rel=0.1)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"laterality": "L"}, "left"),
        ({"laterality": "R"}, "right"),
        ({"laterality": "L", "chest_side": "right"}, "right"),
        ({"laterality": "B"}, ""),
        ({"laterality": ""}, ""),
        ({"laterality": "L", "view": "SPECIMEN"}, ""),
    ],
)
def test_orientation_comes_before_the_usual_hanging(
    tags: dict, expected: str, record_of: Callable
) -> None:
    record = record_of(**tags)
    assert expected_side(record.tags) == expected
    conflict = Flag.SIDE_CONFLICT in look_at(breast(side="left"), record.tags).flags
    assert conflict is (expected == "right")


@pytest.mark.parametrize(
    ("box", "side"),
    [
        (Roi(0, 9, 0, 60), "left"),
        (Roi(0, 9, 40, 100, mirror=True), "right"),
        (Roi(0, 9, 0, 100), ""),
        (Roi(0, 9, 40, 100), ""),
        (Roi(0, 9, 0, 60, mirror=True), ""),
        (Roi(0, 9, 0, 60, found=False), ""),
    ],
)
def test_pixels_that_contradict_themselves_leave_the_side_open(box: Roi, side: str) -> None:
    assert chest_side(np.zeros((9, 100), np.uint16), box) == side


@pytest.mark.parametrize(
    ("left", "right", "mirror", "side"),
    [
        (0.7, 0.2, False, "left"),
        (0.2, 0.7, True, "right"),
        (0.7, 0.2, True, ""),
        (0.4, 0.2, False, ""),
    ],
)
def test_where_the_box_is_as_wide_as_the_frame_the_borders_tell(
    left: float, right: float, mirror: bool, side: str
) -> None:
    display = np.zeros((9, 100), np.uint16)
    display[:, :3], display[:, -3:] = int(left * 65535), int(right * 65535)
    assert chest_side(display, Roi(0, 9, 0, 100, mirror=mirror)) == side


def test_a_negative_says_nothing_of_the_side(record_of: Callable) -> None:
    found = look_at(65535 - breast(side="left"), record_of(laterality="L").tags)
    assert found.chest_side == ""
    assert Flag.SIDE_CONFLICT not in found.flags


def test_the_words_of_saturated_name_its_share() -> None:
    assert f"At least {SATURATED_SHARE * 100:.0f} % of" in FLAG_TEXTS[Flag.SATURATED][0]
