"""Gather of display values: shift, undefined high bits, shapes and layouts."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from dali_pipelines.cpu.window import window as window_images
from dali_pipelines.grayscale import display_table
from dali_pipelines.pixel_settings import StretchSettings
from dali_pipelines.records import Grayscale, Window
from dali_pipelines.shading import Shading
from dali_pipelines.stages import Pixels
from dali_pipelines.voi_settings import Voi

AS_IT_IS = StretchSettings()


def window(pixels, table, settings=AS_IT_IS):
    (display,) = window_images([pixels], [Shading(table, settings)])
    return display


def random_table(bits):
    return np.random.default_rng(bits).integers(0, 65536, 2**bits).astype(np.uint16)


def expected(values, shift, table):
    return [[int(table[(int(v) >> shift) % len(table)]) for v in row] for row in values]


@pytest.mark.parametrize("bits", [1, 8, 12, 16])
@pytest.mark.parametrize("shape", [(1, 1), (16, 5), (37, 19)])
def test_every_pixel_is_looked_up(bits, shape):
    values = np.random.default_rng(1).integers(0, 2**bits, shape).astype(np.uint16)
    table = random_table(bits)
    display = window(Pixels(values), table)
    assert display.dtype == np.uint16
    assert display.flags.c_contiguous
    assert display.tolist() == expected(values, 0, table)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 15])
def test_values_spread_over_16_bits_give_the_same_picture(bits):
    stored = np.random.default_rng(2).integers(0, 2**bits, (20, 30)).astype(np.uint16)
    # As the GPU decoder spreads: the pattern moves to the top and its own top bits fill the rest.
    spread = np.rint(stored.astype(float) * 65535 / (2**bits - 1)).astype(np.uint16)
    table = random_table(bits)
    np.testing.assert_array_equal(
        window(Pixels(spread, shift=16 - bits), table), window(Pixels(stored), table)
    )


def test_bits_above_the_pattern_do_not_count():
    values = np.array([[0x0ABC, 0xFABC, 0x8ABC], [0x0FFF, 0xFFFF, 0x1000]], np.uint16)
    table = random_table(12)
    top, zero = table[0xFFF], table[0]
    assert window(Pixels(values), table).tolist() == [[table[0xABC]] * 3, [top, top, zero]]


def test_bits_above_and_below_the_pattern_do_not_count():
    values = np.array([[0xA5C3, 0x05CF]], np.uint16)
    table = random_table(8)
    assert window(Pixels(values, shift=4), table).tolist() == [[table[0x5C], table[0x5C]]]


def test_input_may_be_a_read_only_view_and_stays_as_it_is():
    values = np.arange(40 * 30, dtype=np.uint16).reshape(40, 30)
    view = values[::-2, ::3].T
    view.setflags(write=False)
    table = random_table(16)
    display = window(Pixels(view), table)
    assert display.flags.c_contiguous
    assert display.tolist() == expected(view, 0, table)
    np.testing.assert_array_equal(values.ravel(), np.arange(1200))


def test_table_of_a_header_turns_signed_patterns_into_display_values():
    grayscale = Grayscale(bits=12, bits_stored=12, signed=True, windows=(Window(0.5, 4001),))
    stored = np.array([[-2048, -2000, 0, 1000, 2000, 2047]])
    cells = stored.astype(np.int16).view(np.uint16)  # sign-extended, as in a 16-bit cell
    display = window(Pixels(cells), display_table(grayscale, Voi()))
    assert display.tolist() == [[0, 0, 32768, 49151, 65535, 65535]]


def test_table_of_odd_length_is_a_mistake_of_ours():
    with pytest.raises(AssertionError):
        window(Pixels(np.zeros((2, 2), np.uint16)), np.zeros(1000, np.uint16))


def test_each_image_goes_through_its_own_table():
    values = np.array([[0, 1]], np.uint16)
    tables = [np.array([5, 6], np.uint16), np.array([7, 8, 9, 10], np.uint16)]
    shadings = [Shading(table, AS_IT_IS) for table in tables]
    first, second = window_images([Pixels(values), Pixels(values)], shadings)
    assert (first.tolist(), second.tolist()) == ([[5, 6]], [[7, 8]])


@pytest.mark.parametrize(("low", "high"), [(0, 100), (1, 99), (0.5, 50), (0, 0.001)])
def test_stretch_takes_the_values_at_the_ranks(low, high):
    values = np.random.default_rng(3).integers(100, 4000, (31, 17)).astype(np.uint16)
    settings = StretchSettings("percentiles", low, high)
    display = window(Pixels(values), np.arange(4096, dtype=np.uint16), settings)
    black, white = np.percentile(values, [low, high], method="inverted_cdf").astype(float)
    wanted = (
        np.clip((values - black) / (white - black) * 65535, 0, 65535) if white > black else None
    )
    if wanted is None:
        assert display.tolist() == np.where(values > black, 65535, 0).tolist()
    else:
        assert np.abs(display - wanted).max() <= 0.5


def test_stretch_of_a_constant_image_is_black():
    display = window(
        Pixels(np.full((3, 4), 7, np.uint16)),
        np.arange(16, dtype=np.uint16),
        StretchSettings("percentiles"),
    )
    assert not display.any()


def test_stretch_follows_the_table_also_where_it_falls():
    table = np.arange(4095, -1, -1).astype(np.uint16)  # MONOCHROME1
    display = window(
        Pixels(np.array([[10, 20, 30]], np.uint16)), table, StretchSettings("percentiles")
    )
    assert display.tolist() == [[65535, 32768, 0]]


def test_ranks_are_counted_over_the_whole_of_a_large_image():
    values = np.random.default_rng(4).integers(0, 65536, (1100, 1000)).astype(np.uint16)
    values[:600] //= 2  # the first part that is counted is not like the last
    identity = np.arange(65536, dtype=np.uint16)
    display = window(Pixels(values), identity, StretchSettings("percentiles", 5, 95))
    black, white = np.percentile(values, [5, 95], method="inverted_cdf").astype(int)
    assert display[values == black].tolist() == [0] * int((values == black).sum())
    assert (display[values >= white] == 65535).all()
    assert (display[values < white] < 65535).all()


def test_displays_are_memory_of_their_own():
    values = np.arange(6, dtype=np.uint16).reshape(2, 3)
    identity = np.arange(16, dtype=np.uint16)
    first = window(Pixels(values), identity)
    kept = first.copy()
    second = window(Pixels(values), identity)
    assert not np.shares_memory(first, second)
    assert not np.shares_memory(first, values)
    second[:] = 9  # writable, as other libraries want it
    values[:] = 7
    del second
    for seed in range(20):
        window(Pixels(np.full((2, 3), seed % 16, np.uint16)), identity)
    assert np.array_equal(first, kept)


def test_threads_do_not_mix_their_images():
    random = np.random.default_rng(5)
    images = [Pixels(random.integers(0, 4096, (90 + k, 70)).astype(np.uint16)) for k in range(12)]
    tables = [random.integers(0, 65536, 4096).astype(np.uint16) for _ in images]
    with ThreadPoolExecutor(4) as pool:
        displays = list(pool.map(window, images, tables))
    for display, image, table in zip(displays, images, tables, strict=True):
        np.testing.assert_array_equal(display, table[image.values])


IDENTITY = np.arange(65536, dtype=np.uint16)


def test_a_stretch_may_round_down_as_a_cast_does():
    values = np.random.default_rng(6).integers(300, 4000, (40, 50)).astype(np.uint16)
    settings = StretchSettings("percentiles", rounding="down")
    display = window(Pixels(values), IDENTITY, settings)
    low, high = int(values.min()), int(values.max())
    assert display.tolist() == [
        [65535 * (int(v) - low) // (high - low) for v in row] for row in values
    ]


def test_eight_bits_are_what_a_cast_of_the_spread_image_to_uint8_gives():
    values = np.arange(1000, 1500, dtype=np.uint16)[None]
    settings = StretchSettings("percentiles", rounding="down", bits=8)
    display = window(Pixels(values), IDENTITY, settings)
    assert display.tolist() == [[255 * (v - 1000) // 499 * 257 for v in range(1000, 1500)]]


def test_eight_bits_without_a_stretch_are_of_the_display_values():
    values = np.array([[0, 256, 257, 513, 514, 65534, 65535]], np.uint16)
    display = window(Pixels(values), IDENTITY, StretchSettings(bits=8))
    assert display.tolist() == [[0, 0, 257, 257, 514, 254 * 257, 65535]]


@pytest.mark.parametrize(("low", "high"), [(0, 4095), (100, 101), (7, 7), (900, 65535)])
def test_a_sigmoid_from_least_to_greatest_is_that_of_the_standard(low, high):
    values = np.linspace(low, high, 600).astype(np.uint16)[None]
    display = window(Pixels(values), IDENTITY, StretchSettings("percentiles", curve="sigmoid"))
    center, width = (low + high + 1) / 2, high - low + 1  # PS3.3 C.11.2.1.3.1
    wanted = 65535 / (1 + np.exp(-4 * (values - center) / width))
    assert np.abs(display - wanted).max() <= 0.5 + 1e-9
    down = StretchSettings("percentiles", curve="sigmoid", rounding="down")
    assert (window(Pixels(values), IDENTITY, down) == np.floor(wanted)).all()


def test_images_of_one_batch_may_be_spread_in_their_own_ways():
    values = Pixels(np.array([[10, 20, 30]], np.uint16))
    plain, spread = window_images(
        [values, values],
        [Shading(IDENTITY, AS_IT_IS), Shading(IDENTITY, StretchSettings("percentiles"))],
    )
    assert (plain.tolist(), spread.tolist()) == ([[10, 20, 30]], [[0, 32768, 65535]])


@pytest.mark.parametrize("shift", [0, 4])
@pytest.mark.parametrize(("low", "high"), [(0, 100), (2, 97)])
def test_a_stretch_takes_display_values_whatever_the_order_of_the_table(low, high, shift):
    table = random_table(12)
    values = np.random.default_rng(7).integers(0, 65536, (50, 60)).astype(np.uint16)
    display = window(Pixels(values, shift), table, StretchSettings("percentiles", low, high))
    shown = table[(values >> shift) & 0xFFF].astype(np.int64)
    black, white = np.percentile(shown, [low, high], method="inverted_cdf")
    span = int(white - black)
    wanted = (2 * 65535 * (shown - int(black)) + span) // (2 * span)
    assert np.array_equal(display, np.clip(wanted, 0, 65535))
