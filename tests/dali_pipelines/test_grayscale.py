"""The rules of the grayscale table, on numbers worked by hand and the standard's own vectors."""

from dataclasses import replace

import numpy as np
import pytest

from dali_pipelines.grayscale import display_table
from dali_pipelines.grayscale_checks import check_grayscale
from dali_pipelines.records import Grayscale, Lut, VoiFunction, Window
from dali_pipelines.verdicts import Flag, Reason, RejectError
from dali_pipelines.voi_settings import Voi

NAN, INF = float("nan"), float("inf")
BYTE = Grayscale(bits=8, bits_stored=8)


def lut_of(values, first=0, bits=16):
    return Lut(first=first, bits=bits, data=np.asarray(values, "<u2").tobytes())


def table_of(grayscale, **voi):
    return display_table(grayscale, Voi(**voi)).tolist()


def test_table_has_one_read_only_entry_per_bit_pattern_and_is_made_once():
    grayscale = Grayscale(bits=10, bits_stored=10, windows=(Window(512, 200),))
    table = display_table(grayscale, Voi())
    assert table.shape == (1024,)
    assert table.dtype == np.uint16
    assert display_table(replace(grayscale), Voi()) is table
    with pytest.raises(ValueError, match="read-only"):
        table[0] = 1


# PS3.3 C.11.2.1.2.1, the notes: at the first input the output is the least, from the next it is
# more; at the last it is the largest, and one before it is not yet.
@pytest.mark.parametrize(
    ("center", "width", "last_black", "first_white"),
    [(2048, 4096, 0, 4095), (2048, 1, 2047, 2048), (0, 100, -50, 49), (0, 1, -1, 0)],
)
def test_vectors_of_the_standard(center, width, last_black, first_white):
    grayscale = Grayscale(14, 14, signed=True, windows=(Window(center, width),))
    table = display_table(grayscale, Voi())
    assert table[np.arange(-8192, last_black + 1)].max() == 0
    assert table[last_black + 1] > 0
    assert table[first_white - 1] < 65535
    assert table[np.arange(first_white, 8192)].min() == 65535


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
def test_full_window_is_identity(bits):
    full = Window(2 ** (bits - 1), 2**bits)
    windowed = Grayscale(bits, bits, windows=(full,))
    assert table_of(windowed) == table_of(windowed, use="none")
    assert table_of(windowed) == [round(65535 * k / (2**bits - 1)) for k in range(2**bits)]


@pytest.mark.parametrize(
    ("function", "window", "worked"),
    [
        # middle 100, span 100; 75: 16383.75; 100: 32767.5, a tie; 125: 49151.25
        ("LINEAR", (100.5, 101), {49: 0, 50: 0, 75: 16384, 100: 32768, 125: 49151, 150: 65535}),
        ("LINEAR_EXACT", (100, 100), {50: 0, 51: 655, 75: 16384, 149: 64880, 150: 65535}),
        # 65535 / (1 + 1/e) = 47909.92; far from the center neither end is renormalized
        ("SIGMOID", (100, 40), {90: 17625, 100: 32768, 110: 47910, 0: 3, 200: 65532}),
        ("LINEAR", (128, 1), {127: 0, 128: 65535}),  # threshold at 127.5
        ("LINEAR", (128.5, 1), {128: 0, 129: 65535}),  # threshold at 128, which is not above it
        ("LINEAR_EXACT", (128, 0.5), {127: 0, 128: 32768, 129: 65535}),
        ("LINEAR", (100.25, 2.5), {98: 0, 99: 0, 100: 43690, 101: 65535}),  # 99.75, 1.5: 2/3
    ],
)
def test_windows_worked_by_hand(function: VoiFunction, window, worked):
    table = display_table(replace(BYTE, function=function, windows=(Window(*window),)), Voi())
    assert {k: table[k] for k in worked} == worked


def test_inversion_is_over_the_output_range_after_the_window():
    # No 8-bit value comes near the top of this window: 255 shows as 65535 * 255 / 4095 = 4080.9.
    grayscale = replace(BYTE, windows=(Window(2048, 4096),))
    assert table_of(grayscale)[255] == 4081
    inverted = table_of(replace(grayscale, invert=True))
    assert (inverted[0], inverted[255]) == (65535, 61454)


def test_ties_go_to_the_even_value_after_the_inversion():
    # LINEAR over 0 ... 2: the middle is 32767.5 from either end.
    grayscale = replace(BYTE, windows=(Window(1.5, 3),))
    assert table_of(grayscale)[:3] == [0, 32768, 65535]
    assert table_of(replace(grayscale, invert=True))[:3] == [65535, 32768, 0]


@pytest.mark.parametrize("invert", [False, True])
def test_padding_range_is_black_in_either_polarity(invert):
    plain = replace(BYTE, invert=invert)
    padded = table_of(replace(plain, padding=(250, 255)))
    assert padded[250:] == [0] * 6
    assert padded[:250] == table_of(plain)[:250]


def test_padding_is_compared_with_signed_stored_values_before_the_rescale():
    plain = Grayscale(12, 12, signed=True, slope=2, intercept=100, windows=(Window(0, 4000),))
    padded = display_table(replace(plain, padding=(-5, -4), invert=True), Voi())
    rest = display_table(replace(plain, invert=True), Voi())
    assert np.flatnonzero(padded != rest).tolist() == [4096 - 5, 4096 - 4]


def test_padding_over_most_values_is_not_believed():
    half = replace(BYTE, padding=(0, 127))
    more = replace(BYTE, padding=(0, 128))
    assert table_of(half)[:128] == [0] * 128
    assert table_of(more) == table_of(BYTE)
    assert Flag.PADDING_SUSPECT not in check_grayscale(half)
    assert Flag.PADDING_SUSPECT in check_grayscale(more)
    assert Flag.PADDING_SUSPECT in check_grayscale(replace(BYTE, padding=(-1, 63536)))


def test_identity_spans_bits_stored_and_clips_what_lies_beyond():
    table = display_table(Grayscale(bits=16, bits_stored=12), Voi())
    assert table[[0, 1, 4095]].tolist() == [0, 16, 65535]
    assert table[4096:].min() == 65535
    narrow = display_table(Grayscale(bits=10, bits_stored=12), Voi())
    assert narrow[1023] == round(65535 * 1023 / 4095)


def test_identity_of_signed_values():
    table = display_table(Grayscale(bits=16, bits_stored=12, signed=True), Voi())
    low, high = 65536 - 2048, 2047
    assert table[[low, low + 1, 0, high]].tolist() == [0, 16, 32776, 65535]
    assert table[[32767, 32768]].tolist() == [65535, 0]


def test_identity_after_a_rescale_is_over_the_mapped_range():
    assert table_of(replace(BYTE, slope=-0.5, intercept=40)) == table_of(BYTE)[::-1]
    lut = lut_of([0, 512, 1023], bits=10)  # range 0 ... 1023, though 1023 entries are missing
    assert table_of(replace(BYTE, modality_lut=lut))[:4] == [0, 32800, 65535, 65535]


def test_modality_lut_stands_for_the_rescale():
    lut = lut_of([0, 512, 1023], bits=10)
    both = replace(BYTE, modality_lut=lut, slope=3, intercept=7, windows=(Window(512, 2),))
    assert table_of(both)[:4] == [0, 65535, 65535, 65535]


def test_lut_takes_its_ends_outside_its_range():
    grayscale = replace(BYTE, voi_luts=(lut_of([10, 20, 30], first=100),))
    table = table_of(grayscale)
    assert table[98:105] == [10, 10, 10, 20, 30, 30, 30]
    assert table[255] == 30


def test_lut_first_mapped_value_may_be_negative():
    lut = lut_of(range(0, 60000, 10), first=-2000)
    signed = Grayscale(12, 12, signed=True, voi_luts=(lut,))
    table = display_table(signed, Voi())
    assert table[[2048, 4096 - 2000, 4096 - 1999, 0, 2047]].tolist() == [0, 0, 10, 20000, 40470]
    assert table_of(replace(signed, signed=False))[:2] == [20000, 20010]


def test_lut_of_65536_entries():
    mirror = Grayscale(16, 16, voi_luts=(lut_of(np.arange(65535, -1, -1)),))
    assert display_table(mirror, Voi())[[0, 1, 40000, 65535]].tolist() == [65535, 65534, 25535, 0]


def test_lut_of_8_bits_with_more_than_256_entries():
    # pydicom 3.0.2 wraps the index at 256 here.
    ramp = np.arange(4096) // 16
    table = display_table(Grayscale(12, 12, voi_luts=(lut_of(ramp, bits=8),)), Voi())
    assert table.tolist() == [257 * (k // 16) for k in range(4096)]


def test_lut_values_between_entries_take_the_nearest():
    grayscale = replace(BYTE, slope=0.75, voi_luts=(lut_of(range(300)),))
    assert table_of(grayscale)[:5] == [0, 1, 2, 2, 3]  # 0, 0.75, 1.5 (a tie), 2.25, 3


def test_lut_entries_beyond_the_declared_bits_count_as_the_top():
    grayscale = replace(BYTE, voi_luts=(lut_of([0, 1023, 4000], bits=10),))
    assert table_of(grayscale)[:3] == [0, 65535, 65535]
    assert check_grayscale(grayscale) == (Flag.LUT_RANGE_SUSPECT,)


@pytest.mark.parametrize(
    ("slope", "intercept"), [(0, 5), (NAN, 0), (INF, 0), (1, NAN), (1, -INF), (1e307, 0)]
)
def test_rescale_without_a_range_is_rejected(slope, intercept):
    with pytest.raises(RejectError, match="no finite range") as caught:
        display_table(replace(BYTE, slope=slope, intercept=intercept), Voi())
    assert caught.value.reason is Reason.RESCALE


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("center", [0, -1e308, 1e308])
@pytest.mark.parametrize("width", [1, 1 + 1e-15, 1e308])
def test_absurd_but_finite_parameters_give_a_monotone_table(function, center, width):
    """Warnings are errors here, so this also shows that no entry is made of not-a-number."""
    grayscale = Grayscale(16, 8, slope=1e303, function=function, windows=(Window(center, width),))
    table = display_table(grayscale, Voi())
    assert (np.diff(table.astype(int)) >= 0).all()


def test_a_step_finer_than_float64_at_its_place_is_still_a_step():
    # Beside 4e15 floats are 0.5 apart: 10 lies 0.5 above the middle, 0.2 above the upper end.
    grayscale = replace(BYTE, intercept=4e15, windows=(Window(4e15 + 10, 1.6),))
    assert table_of(grayscale) == [0] * 10 + [65535] * 246
