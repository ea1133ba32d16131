"""The gather and the stretch of the GPU against those of the CPU, to the bit."""

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dali_pipelines.cpu.window import window as cpu_window
from dali_pipelines.gpu.window import window as gpu_window
from dali_pipelines.grayscale import display_table
from dali_pipelines.pixel_settings import StretchSettings
from dali_pipelines.records import Grayscale, Lut, Window
from dali_pipelines.shading import Shading
from dali_pipelines.stages import Pixels
from dali_pipelines.voi_settings import Voi
from tests.dali_pipelines.gpu.real_device import on_device, on_host

AS_IT_IS, MIN_MAX = StretchSettings(), StretchSettings("percentiles")
STRETCHES = [
    AS_IT_IS,
    MIN_MAX,
    *(
        StretchSettings("percentiles", *ends)
        for ends in [(1, 99), (0.5, 50), (0, 0.001), (99, 100)]
    ),
    StretchSettings(bits=8),
    StretchSettings("percentiles", rounding="down"),
    StretchSettings("percentiles", 1, 99, rounding="down", bits=8),
    StretchSettings("percentiles", curve="sigmoid"),
    StretchSettings("percentiles", curve="sigmoid", rounding="down", bits=8),
]

pytestmark = pytest.mark.usefixtures("each_device")


def random_values(bits, shape, seed=0):
    return np.random.default_rng(seed).integers(0, 1 << bits, shape).astype(np.uint16)


def random_table(bits, seed=0):
    return random_values(16, 1 << bits, seed)


def spread(stored, bits):
    """As the GPU decoder gives them: over all 16 bits."""
    return np.rint(stored.astype(float) * 65535 / ((1 << bits) - 1)).astype(np.uint16)


def shadings(tables, stretch):
    return [Shading(table, stretch) for table in tables]


def check(pixels, tables, stretch):
    """The display values, the same from both devices."""
    return check_shadings(pixels, shadings(tables, stretch))


def check_shadings(pixels, shadings):
    wanted = cpu_window(pixels, shadings)
    moved = [Pixels(on_device(np.ascontiguousarray(image.values)), image.shift) for image in pixels]
    for displays in (gpu_window(moved, shadings), gpu_window(pixels, shadings)):
        assert len(displays) == len(wanted)
        for display, expected in zip(displays, wanted, strict=True):
            assert display.dtype == torch.uint16
            assert display.is_contiguous()
            np.testing.assert_array_equal(on_host(display), expected)
    return wanted


@pytest.mark.parametrize("stretch", STRETCHES, ids=str)
@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (1, 8), (8, 1), (3, 3), (37, 29), (130, 127)])
def test_sizes(shape, stretch):
    check([Pixels(random_values(12, shape))], [random_table(12)], stretch)


@pytest.mark.parametrize("stretch", STRETCHES[:3], ids=str)
@pytest.mark.parametrize("bits", range(8, 17))
def test_precisions_of_both_decoders(bits, stretch):
    stored, table = random_values(bits, (21, 13)), random_table(bits)
    from_cpu = check([Pixels(stored)], [table], stretch)
    from_gpu = check([Pixels(spread(stored, bits), 16 - bits)], [table], stretch)
    np.testing.assert_array_equal(from_cpu, from_gpu)


@pytest.mark.parametrize("stretch", STRETCHES, ids=str)
@pytest.mark.parametrize(
    "values",
    [
        np.zeros((5, 9)),
        np.full((5, 9), 65535),
        np.full((9, 5), 300),
        [[0, 65535]],
        [[65535] * 9 + [0]],
    ],
    ids=["black", "white", "constant", "both ends", "one black"],
)
def test_extremes(values, stretch):
    check([Pixels(np.array(values, np.uint16))], [np.arange(65536, dtype=np.uint16)], stretch)


VOI_LUT = Lut(first=100, bits=10, data=np.arange(900, dtype="<u2").tobytes())
GRAYSCALES = {
    "LINEAR": Grayscale(12, 12, windows=(Window(2000, 1500),)),
    "LINEAR_EXACT": Grayscale(12, 12, windows=(Window(2000, 1500),), function="LINEAR_EXACT"),
    "SIGMOID": Grayscale(12, 12, windows=(Window(2000, 1500),), function="SIGMOID"),
    "VOI LUT": Grayscale(12, 12, voi_luts=(VOI_LUT,)),
    "MONOCHROME1": Grayscale(12, 12, windows=(Window(2000, 1500),), invert=True),
    "padding": Grayscale(12, 12, windows=(Window(2000, 1500),), invert=True, padding=(0, 90)),
    "signed": Grayscale(12, 12, signed=True, windows=(Window(0, 3000),), slope=2, intercept=-9),
    "threshold": Grayscale(12, 12, windows=(Window(2000, 1),)),
    "more bits than stored": Grayscale(16, 12, windows=(Window(2000, 1500),)),
}


@pytest.mark.parametrize("stretch", STRETCHES[:3], ids=str)
@pytest.mark.parametrize("name", GRAYSCALES)
def test_tables_of_headers(name, stretch):
    grayscale = GRAYSCALES[name]
    table = display_table(grayscale, Voi())
    cells = random_values(16, (40, 33))  # with undefined bits above the pattern
    cells[:20] &= 0x0FFF
    check([Pixels(cells)], [table], stretch)
    check([Pixels(cells, 16 - grayscale.bits)], [table], stretch)


@pytest.mark.parametrize("stretch", STRETCHES[:3], ids=str)
def test_a_ragged_batch_of_many_tables(stretch):
    shapes = [(1, 1), (70, 61), (3, 500), (16, 8), (200, 90)]
    bits = [8, 12, 16, 10, 14]
    pixels = [
        Pixels(spread(random_values(b, shape, seed=b), b), 16 - b) if b % 4 else
        Pixels(random_values(b, shape, seed=b))
        for b, shape in zip(bits, shapes, strict=True)
    ]  # fmt: skip
    check(pixels, [random_table(b, seed=b) for b in bits], stretch)


def test_a_batch_of_many_stretches():
    shapes = [(3 + k, 40 - k) for k in range(2 * len(STRETCHES))]
    pixels = [Pixels(random_values(12, shape, seed)) for seed, shape in enumerate(shapes)]
    mixed = [
        Shading(random_table(12, seed), STRETCHES[5 * seed % len(STRETCHES)])
        for seed in range(len(shapes))
    ]
    check_shadings(pixels, mixed)


@pytest.mark.parametrize("stretch", STRETCHES[-5:], ids=str)
def test_all_levels_of_every_range(stretch):
    """All 65,536 entries of a table, spread from ends that are near and far apart."""
    for low, high in [(0, 65535), (1, 65534), (0, 1), (7, 9), (100, 4195), (65534, 65535)]:
        values = np.array([[low, high, (low + high) // 2]], np.uint16)
        table = np.arange(65536, dtype=np.uint16)
        check_shadings([Pixels(values)], [Shading(table, stretch)])
        inside = np.arange(low, high + 1, dtype=np.uint16)[None]
        check_shadings([Pixels(inside)], [Shading(table, stretch)])


def test_more_than_one_block_of_threads_has_its_part():
    shape = (257, 513)  # nine blocks, the last of them nearly idle
    for stretch in STRETCHES[:3]:
        check([Pixels(random_values(12, shape))], [random_table(12)], stretch)


@pytest.mark.parametrize("stretch", STRETCHES[:3], ids=str)
@pytest.mark.parametrize("offset", range(9))
def test_any_address_of_a_px_will_do(offset, stretch):
    values, table = random_values(12, 20 * 11 + offset), random_table(12)
    view = on_device(values)[offset:].view(20, 11)
    (display,) = gpu_window([Pixels(view)], shadings([table], stretch))
    (wanted,) = cpu_window([Pixels(values[offset:].reshape(20, 11))], shadings([table], stretch))
    np.testing.assert_array_equal(on_host(display), wanted)


@pytest.mark.parametrize("stretch", STRETCHES[:3], ids=str)
def test_views_with_gaps_and_read_only_arrays(stretch):
    values, table = random_values(16, (40, 30)), random_table(16)
    view = values[::2, ::-3].T
    view.setflags(write=False)
    check([Pixels(view)], [table], stretch)
    gaps = on_device(values)[1::2, 3:20]
    (display,) = gpu_window([Pixels(gaps)], shadings([table], stretch))
    (wanted,) = cpu_window([Pixels(values[1::2, 3:20])], shadings([table], stretch))
    np.testing.assert_array_equal(on_host(display), wanted)


def test_inputs_stay_as_they_are():
    values, table = on_device(random_values(12, (9, 9))), random_table(12)
    before = values.clone(), table.copy()
    table.setflags(write=False)
    (display,) = gpu_window([Pixels(values)], shadings([table], MIN_MAX))
    assert display.data_ptr() != values.data_ptr()
    np.testing.assert_array_equal(on_host(values), on_host(before[0]))
    np.testing.assert_array_equal(table, before[1])


def test_hand_worked_stretch():
    table = np.array([10, 20, 30, 50], np.uint16)
    values = on_device(np.array([[0, 1], [2, 3]], np.uint16))
    (display,) = gpu_window([Pixels(values)], shadings([table], MIN_MAX))
    # 65535 / 4 = 16383.75, 65535 / 2 = 32767.5
    assert display.tolist() == [[0, 16384], [32768, 65535]]
    (display,) = gpu_window(
        [Pixels(values)], shadings([table], StretchSettings("percentiles", 30, 75))
    )
    assert display.tolist() == [[0, 0], [65535, 65535]]  # ranks 2 and 3: 20 and 30


def test_a_batch_is_as_many_launches_as_an_image(each_device):
    values, table = random_values(8, (5, 5)), random_table(8)
    wanted = {0: ["window"], 1: ["extremes", "stretch", "window"]}
    wanted[2] = ["histogram", "find_ranks", "stretch", "window"]
    for count in (1, 6):
        for kind, kernels in wanted.items():
            each_device.launched.clear()
            gpu_window([Pixels(values)] * count, shadings([table] * count, STRETCHES[kind]))
            assert each_device.launched == [("window", kernel) for kernel in kernels]


def test_a_mixed_batch_launches_no_kernel_twice(each_device):
    values, table = random_values(8, (5, 5)), random_table(8)
    mixed = [Shading(table, stretch) for stretch in STRETCHES]
    gpu_window([Pixels(values)] * len(mixed), mixed)
    kernels = ["extremes", "histogram", "find_ranks", "stretch", "window"]
    assert each_device.launched == [("window", kernel) for kernel in kernels]


def test_no_images_are_no_launch(each_device):
    assert gpu_window([], shadings([], MIN_MAX)) == []
    assert each_device.launched == []


def test_table_of_odd_length_is_a_mistake_of_ours():
    with pytest.raises(AssertionError, match="one entry for each bit pattern"):
        gpu_window(
            [Pixels(np.zeros((2, 2), np.uint16))], shadings([np.zeros(1000, np.uint16)], AS_IT_IS)
        )


def test_each_image_needs_a_table():
    with pytest.raises(ValueError, match="zip"):
        gpu_window([Pixels(np.zeros((2, 2), np.uint16))] * 2, shadings([random_table(8)], AS_IT_IS))


@st.composite
def images(draw):
    bits = draw(st.integers(1, 16))
    height, width = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    some = draw(st.lists(st.integers(0, 65535), min_size=1, max_size=4))  # ties are common
    seed = draw(st.integers(0, 99))
    values = np.random.default_rng(seed).choice(np.array(some, np.uint16), (height, width))
    top = draw(st.sampled_from([3, 255, 65535]))
    table = np.random.default_rng(seed + 1).integers(0, top + 1, 1 << bits).astype(np.uint16)
    return Pixels(values, draw(st.integers(0, 16 - bits))), table


@st.composite
def stretches(draw):
    low = draw(st.floats(0, 99))
    high = draw(st.floats(low, 100, exclude_min=True))
    rounding, bits = draw(st.sampled_from(["nearest", "down"])), draw(st.sampled_from([8, 16]))
    return StretchSettings("percentiles", low, high, rounding, bits=bits)


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],  # it holds nothing of an example
)
@given(
    st.lists(
        st.tuples(images(), st.one_of(st.sampled_from(STRETCHES), stretches())),
        min_size=1,
        max_size=3,
    )
)
def test_any_batch(batch):
    pixels = [image for (image, _), _ in batch]
    check_shadings(pixels, [Shading(table, stretch) for (_, table), stretch in batch])
