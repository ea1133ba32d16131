"""Crop, mirror, resize, pad, normalize: by hand, by an independent rendering, and to the bit."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from dali_pipelines.cpu.resize import resize
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.stages import Roi
from tests.dali_pipelines.cpu.plain_resize import plain

RAMP = np.arange(16, dtype=np.uint16).reshape(4, 4) * 1000
FULL = Roi(0, 4, 0, 4)


def noise(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 65536, (height, width), np.uint16)


def frame(image: np.ndarray) -> Roi:
    return Roi(0, image.shape[0], 0, image.shape[1])


def resized(display: np.ndarray, roi: Roi, settings: ResizeSettings) -> np.ndarray:
    """What the step makes of one image, (C, H, W), in memory that held NaN."""
    out = np.full((1, settings.channels, *settings.size), np.nan, np.float32)
    resize([display], [roi], settings, out)
    return out[0]


def content(display: np.ndarray, roi: Roi, size: tuple[int, int]) -> np.ndarray:
    """The box stretched to (h, w), as display values 0 ... 65535."""
    as_it_is = ResizeSettings(size=size, fit="stretch", mean=0.0, std=1 / 65535)
    return resized(display, roi, as_it_is)[0]


def area_by_integral(box: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Exact box averages from the integral image, in float64: another way to the same numbers."""
    integral = np.zeros((box.shape[0] + 1, box.shape[1] + 1))
    integral[1:, 1:] = box.astype(np.float64).cumsum(0).cumsum(1)
    rows = np.linspace(0, box.shape[0], size[0] + 1)
    columns = np.linspace(0, box.shape[1], size[1] + 1)
    at_rows = np.stack(
        [np.interp(rows, np.arange(len(integral)), column) for column in integral.T], axis=1
    )
    at = np.stack([np.interp(columns, np.arange(at_rows.shape[1]), row) for row in at_rows])
    cells = at[1:, 1:] - at[:-1, 1:] - at[1:, :-1] + at[:-1, :-1]
    return cells / ((rows[1] - rows[0]) * (columns[1] - columns[0]))


def assert_equal_bits(found: np.ndarray, expected: np.ndarray) -> None:
    assert np.array_equal(found.view(np.uint32), expected.view(np.uint32))


def test_halving_averages_two_by_two_pixels() -> None:
    assert content(RAMP, FULL, (2, 2)).tolist() == [[2500, 4500], [10500, 12500]]


def test_mirror_flips_left_to_right() -> None:
    flipped = Roi(0, 4, 0, 4, mirror=True)
    assert content(RAMP, flipped, (2, 2)).tolist() == [[4500, 2500], [12500, 10500]]


def test_doubling_interpolates_between_pixel_centers() -> None:
    line = np.array([[0, 8]], dtype=np.uint16)
    assert content(line, Roi(0, 1, 0, 2), (1, 4)).tolist() == [[0, 2, 6, 8]]


@pytest.mark.parametrize("size", [(7, 5), (31, 11), (40, 30), (1, 1)])
def test_shrinking_is_the_exact_area_mean(size: tuple[int, int]) -> None:
    image = noise(40, 30)
    out = content(image, frame(image), size)
    assert np.abs(out - area_by_integral(image, size)).max() < 0.05  # float32 sums of 65535


@pytest.mark.parametrize("count", [1, 3, 7, 10, 99, 100])
def test_a_flat_image_stays_flat(count: int) -> None:
    image = np.full((100, 10), 40000, np.uint16)
    out = content(image, frame(image), (count, count))
    assert np.abs(out - 40000).max() < 0.02  # weights add up to 1 within float32


def test_only_the_box_is_read() -> None:
    image = np.full((20, 20), 9, dtype=np.uint16)
    image[5:9, 6:12] = 500
    assert (content(image, Roi(5, 9, 6, 12), (2, 3)) == 500).all()


@pytest.mark.parametrize(("align", "column"), [("left", 0), ("center", 1)])
def test_padding_is_normalized_black_and_lies_where_align_says(align: str, column: int) -> None:
    white = np.full((4, 2), 65535, dtype=np.uint16)
    settings = ResizeSettings(size=(4, 4), align=align, mean=0.5, std=0.25, channels=3)
    out = resized(white, Roi(0, 4, 0, 2), settings)
    expected = np.full((4, 4), -2.0)
    expected[:, column : column + 2] = 2.0
    assert np.array_equal(out, np.stack([expected] * 3))


def test_black_is_zero_and_not_minus_zero_where_the_mean_is_zero() -> None:
    settings = ResizeSettings(size=(3, 4), mean=0.0, std=1.0)
    out = resized(np.zeros((3, 2), np.uint16), Roi(0, 3, 0, 2), settings)
    assert not np.signbit(out).any()


def test_several_images_of_different_size_fill_their_own_slots() -> None:
    images = [np.full((9, 5), 65535, np.uint16), np.zeros((3, 8), np.uint16)]
    out = np.empty((2, 1, 6, 6), np.float32)
    settings = ResizeSettings(size=(6, 6), fit="stretch", mean=0, std=1)
    resize(images, [frame(image) for image in images], settings, out)
    assert (out[0] == 1).all()
    assert (out[1] == 0).all()


@st.composite
def boxes(draw: st.DrawFn) -> tuple[tuple[int, int], Roi]:
    height, width = draw(st.integers(1, 90)), draw(st.integers(1, 90))
    top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
    bottom, right = draw(st.integers(top + 1, height)), draw(st.integers(left + 1, width))
    return (height, width), Roi(top, bottom, left, right, mirror=draw(st.booleans()))


NUMBERS = st.sampled_from(
    [
        {},
        {"mean": 0.0, "std": 1.0},
        {"mean": 0.485, "std": 0.229, "channels": 3},
        {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225), "channels": 3},
    ]
)
PLACES = st.fixed_dictionaries(
    {
        "size": st.tuples(st.integers(1, 60), st.integers(1, 60)),
        "fit": st.sampled_from(["pad", "pad-first", "width", "keep", "stretch"]),
        "align": st.sampled_from(["left", "center"]),
        "filter": st.sampled_from(["area", "linear", "triangle"]),
        "bits": st.sampled_from([None, 8, 16]),
        "rounding": st.sampled_from(["nearest", "down"]),
    }
)
SETTINGS = st.builds(lambda place, numbers: ResizeSettings(**place, **numbers), PLACES, NUMBERS)


@hypothesis_settings(max_examples=100, deadline=None)
@given(case=boxes(), settings=SETTINGS, seed=st.integers(0, 99))
def test_every_bit_is_that_of_the_plain_sums(case, settings, seed) -> None:
    shape, roi = case
    image = noise(*shape, seed)
    assert_equal_bits(resized(image, roi, settings), plain(image, roi, settings))


@pytest.mark.parametrize(
    ("shape", "size"),
    [((1300, 900), (541, 320)), ((30, 20), (900, 700)), ((2600, 40), (3, 2)), ((1, 900), (1, 2))],
    ids=["shrunk", "enlarged", "hundreds of terms", "a line"],
)
@pytest.mark.parametrize("mirror", [False, True])
def test_an_image_of_many_strips_has_the_plain_bits_too(shape, size, mirror) -> None:
    image = noise(*shape)
    roi = Roi(0, shape[0], 0, shape[1], mirror)
    for kind in ("area", "linear", "triangle"):
        settings = ResizeSettings(size=size, fit="stretch", filter=kind)
        assert_equal_bits(resized(image, roi, settings), plain(image, roi, settings))


def test_a_view_that_is_not_contiguous_gives_the_same_bits() -> None:
    image = noise(64, 60)[::-2, ::3]
    image.setflags(write=False)
    settings = ResizeSettings(size=(20, 9))
    expected = resized(np.ascontiguousarray(image), frame(image), settings)
    assert_equal_bits(resized(image, frame(image), settings), expected)


def test_threads_do_not_mix_their_images() -> None:
    images = [noise(300 + 7 * k, 200, seed=k) for k in range(12)]
    settings = ResizeSettings(size=(96, 64))

    def one(image: np.ndarray) -> np.ndarray:
        return resized(image, frame(image), settings)

    alone = [one(image) for image in images]
    with ThreadPoolExecutor(4) as pool:
        for found, expected in zip(pool.map(one, images), alone, strict=True):
            assert_equal_bits(found, expected)
