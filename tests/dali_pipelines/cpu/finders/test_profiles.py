"""Smoothed sum times deviation: against the published steps in NumPy's own words, and by hand."""

import numpy as np
import pytest

from dali_pipelines.cpu.finders.profiles import find
from dali_pipelines.roi_settings import ProfileSettings, RoiSettings
from dali_pipelines.stages import Roi
from tests.dali_pipelines.cpu.finders.drawn_breasts import drawn_breast

PLAIN = RoiSettings(method="profile", mirror="none")
TURNED = RoiSettings(method="profile", mirror_by="columns", mirror_share=0.1)


def smoothed(values: np.ndarray) -> np.ndarray:
    length = max(1, int(len(values) * 0.01))
    return np.convolve(values, np.ones(length) / length, mode="same")


def profile(levels: np.ndarray, axis: int) -> np.ndarray:
    return smoothed(levels.sum(axis=axis)) * smoothed(levels.std(axis=axis))


def reference(image: np.ndarray) -> tuple[int, int, int, int]:
    """Top, bottom, left, right as the published notebook finds them on 8 bits."""
    levels = (image // 257).astype(np.uint8)
    across = profile(levels, 0)
    right = int(across[: int(len(across) * 0.75)].argmax())
    while right < len(across) - 1 and across[right] >= 0.05 * across.max():
        right += 1
    down = profile(levels[:, :right], 1)
    first = int(len(down) * 0.25)
    peak = first + int(down[first : int(len(down) * 0.75)].argmax())
    least = 0.10 * down.max()
    top = next((row for row in range(peak - 1, -1, -1) if down[row] < least), 0)
    bottom = next((row for row in range(peak, len(down)) if down[row] < least), len(down))
    return top, bottom, 0, right


@pytest.mark.parametrize("seed", range(12))
def test_it_is_the_published_box(seed: int) -> None:
    image = drawn_breast((160 + 40 * seed, 90 + 31 * seed), seed, background=1 + 300 * seed)
    assert find([image], PLAIN) == [Roi(*reference(image))]


@pytest.mark.parametrize("seed", range(6))
def test_a_picture_is_searched_as_it_is_turned(seed: int) -> None:
    image = drawn_breast((240, 217), seed, right=True, background=700)
    top, bottom, left, right = reference(image[:, ::-1])
    assert find([image], TURNED) == [Roi(top, bottom, 217 - right, 217 - left, mirror=True)]
    (turned,) = find([np.ascontiguousarray(image[:, ::-1])], TURNED)
    assert turned == Roi(top, bottom, left, right)


def test_ends_by_hand() -> None:
    image = np.zeros((8, 10), np.uint16)
    image[2:6, :5] = 100 * 257
    # Columns 0 ... 4 have one value above 0; of equal ones the first is where the search begins, so
    # that column 5 is the end. Rows of the part kept are constant: deviation 0 everywhere.
    box = Roi(0, 8, 0, 5)
    assert find([image], PLAIN) == [box]
    image[2:6, 0] = 50 * 257  # rows 2 ... 5 now vary, the others do not
    assert find([image], PLAIN) == [Roi(1, 6, 0, 5)]


def test_the_last_column_goes_where_the_profile_never_falls() -> None:
    image = np.tile(np.array([[0], [40000], [9000], [65535]], np.uint16), (1, 6))
    assert find([image], PLAIN)[0].right == 5


@pytest.mark.parametrize("shape", [(1, 1), (3, 1), (1, 3), (50, 40)])
@pytest.mark.parametrize("level", [0, 65535])
def test_a_constant_image_has_no_box(shape: tuple[int, int], level: int) -> None:
    assert find([np.full(shape, level, np.uint16)], PLAIN) == [
        Roi(0, shape[0], 0, shape[1], found=False)
    ]


def test_settings_move_the_ends() -> None:
    image = drawn_breast((300, 300), 3, background=2000)
    (usual,) = find([image], PLAIN)
    for changed in (
        ProfileSettings(columns=0.5),
        ProfileSettings(rows=0.5),
        ProfileSettings(smooth=0.1),
    ):
        settings = RoiSettings(method="profile", mirror="none", profile=changed)
        assert find([image], settings) != [usual]
