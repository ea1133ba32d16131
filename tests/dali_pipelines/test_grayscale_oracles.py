"""Whole grayscale tables against exact arithmetic, pydicom and highdicom, and on real headers."""

import math
from dataclasses import replace
from fractions import Fraction

import highdicom.pixels
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut

from dali_pipelines.grayscale import Voi, choose_voi, display_table
from dali_pipelines.records import Grayscale, Lut, Window

HALF_STEP = 0.5 + 1e-6  # what rounding to an integer may take away, and float64 noise on 65535
FUNCTIONS = ("LINEAR", "LINEAR_EXACT", "SIGMOID")


def exact(value: float) -> Fraction:
    """A header's decimal number, as it is written."""
    return Fraction(repr(value))


def exact_entry(g: Grayscale, pattern: int) -> int:
    """PS3.3 C.11 for one bit pattern, in rational numbers; the first window or LUT is taken."""
    stored = pattern
    if g.signed and pattern >= 2 ** (g.bits - 1):
        stored = pattern - 2**g.bits
    if g.padding is not None and g.padding[0] <= stored <= g.padding[1]:
        return 0
    least = -(2 ** (g.bits_stored - 1)) if g.signed else 0
    slope, intercept = exact(g.slope), exact(g.intercept)
    low, high = sorted(slope * v + intercept for v in (least, least + 2**g.bits_stored - 1))
    x = slope * stored + intercept
    if g.modality_lut is not None:
        x = Fraction(exact_lookup(g.modality_lut, Fraction(stored)))
        low, high = Fraction(0), Fraction(2**g.modality_lut.bits - 1)
    if g.voi_luts:
        lut = g.voi_luts[0]
        y = Fraction(65535 * exact_lookup(lut, x), 2**lut.bits - 1)
    elif g.windows:
        y = exact_window(g.function, exact(g.windows[0].center), exact(g.windows[0].width), x)
    else:
        y = 65535 * min(max((x - low) / (high - low), Fraction(0)), Fraction(1))
    return round(65535 - y if g.invert else y)  # round() sends ties to the even integer


def exact_lookup(lut: Lut, x: Fraction) -> int:
    entries = memoryview(lut.data).cast("H")
    return entries[min(max(round(x) - lut.first, 0), len(entries) - 1)]


def exact_window(function: str, c: Fraction, w: Fraction, x: Fraction) -> Fraction:
    if function == "SIGMOID":
        return Fraction(65535 / (1 + math.exp(min(-4 * (x - c) / w, 700))))
    half = Fraction(1, 2)
    if function == "LINEAR_EXACT":
        if x <= c - w / 2:
            return Fraction(0)
        return Fraction(65535) if x > c + w / 2 else ((x - c) / w + half) * 65535
    if x <= c - half - (w - 1) / 2:
        return Fraction(0)
    if x > c - half + (w - 1) / 2:
        return Fraction(65535)
    return ((x - (c - half)) / (w - 1) + half) * 65535


def random_lut(rng: np.random.Generator, span: float, low: float) -> Lut:
    bits = int(rng.choice([8, 10, 12, 14, 16]))
    count = int(rng.integers(1, min(int(span * 1.2) + 2, 65536)))
    data = np.sort(rng.integers(0, 2**bits, count)).astype("<u2")
    return Lut(
        first=int(low + rng.integers(-20, int(span / 3) + 2)), bits=bits, data=data.tobytes()
    )


def random_grayscale(seed: int, bits: int) -> Grayscale:
    """Anything a header may hold, in any combination; numbers of up to three decimals."""
    rng = np.random.default_rng(seed)
    signed = bool(rng.integers(2))
    bits_stored = int(rng.integers(max(4, bits - 4), bits + 1))
    low = -(2 ** (bits_stored - 1)) if signed else 0
    slope = float(rng.choice([1, 1, 1, 1, 2, 0.5, -1, -0.25, 1.1, 0.003]))
    intercept = 0.0 if slope == 1 else float(rng.choice([0, -1024, 0.3]))
    modality = random_lut(rng, 2**bits_stored, low) if rng.random() < 0.15 else None
    ends = [slope * low + intercept, slope * (low + 2**bits_stored - 1) + intercept]
    low_x, span = (min(ends), max(ends) - min(ends))
    if modality is not None:
        low_x, span = 0.0, 2.0**modality.bits
    digits = int(rng.integers(0, 3))
    width = round(float(rng.uniform(1, 1.5 * span + 1)), digits)
    center = round(float(low_x + rng.uniform(-0.1, 1.1) * span), digits)
    voi = rng.choice(["window", "window", "window", "lut", "none"])
    padding = int(rng.integers(low, low + 2 ** (bits_stored - 1)))
    return Grayscale(
        bits=bits,
        bits_stored=bits_stored,
        signed=signed,
        slope=slope,
        intercept=intercept,
        modality_lut=modality,
        function=FUNCTIONS[seed % 3],  # type: ignore[arg-type]
        windows=(Window(center, width),) if voi == "window" else (),
        voi_luts=(random_lut(rng, span, low_x),) if voi == "lut" else (),
        invert=bool(rng.integers(2)),
        padding=(padding, padding + int(rng.integers(3))) if rng.random() < 0.4 else None,
    )


@pytest.mark.parametrize(("bits", "sets"), [(6, 100), (8, 100), (10, 60), (12, 10)])
def test_every_entry_equals_exact_arithmetic(bits, sets):
    for seed in range(sets):
        grayscale = random_grayscale(100 * bits + seed, bits)
        expected = [exact_entry(grayscale, k) for k in range(2**bits)]
        assert display_table(grayscale, Voi()).tolist() == expected, grayscale


@pytest.mark.parametrize("seed", [0, 1])
def test_every_entry_of_16_bits_equals_exact_arithmetic(seed):
    grayscale = replace(random_grayscale(seed, 16), windows=(Window(20000.5, 30001),), voi_luts=())
    expected = [exact_entry(grayscale, k) for k in range(65536)]
    assert display_table(grayscale, Voi()).tolist() == expected


def dataset_of(g: Grayscale) -> Dataset:
    """A pydicom data set that says the same as `g`."""
    ds = Dataset()
    ds.BitsStored, ds.PixelRepresentation = g.bits_stored, int(g.signed)
    ds.PhotometricInterpretation = "MONOCHROME2"
    if g.modality_lut is not None:
        ds.ModalityLUTSequence = [lut_item(g.modality_lut)]
    elif (g.slope, g.intercept) != (1, 0):
        ds.RescaleSlope, ds.RescaleIntercept = g.slope, g.intercept
    if g.windows:
        ds.WindowCenter, ds.WindowWidth = g.windows[0].center, g.windows[0].width
        ds.VOILUTFunction = g.function
    if g.voi_luts:
        ds.VOILUTSequence = [lut_item(g.voi_luts[0])]
    return ds


def lut_item(lut: Lut) -> Dataset:
    item = Dataset()
    item.add_new("LUTDescriptor", "SS", [len(lut.values) % 65536, lut.first, lut.bits])
    item.add_new("LUTData", "US", lut.values.tolist())
    return item


def pydicom_display(ds: Dataset, stored: np.ndarray, index: int = 0, lut: bool = True):
    """Display values 0 ... 65535, unrounded, from pydicom's two functions and its output range."""
    before = apply_modality_lut(stored, ds)
    if lut and "VOILUTSequence" in ds:
        before = before.astype(np.int64)  # a rescale of (1, 0) made it float64
    out = apply_voi_lut(before, ds, index=index, prefer_lut=lut).astype(np.float64)
    low, high = 0.0, 2.0**ds.BitsStored - 1
    if ds.PixelRepresentation == 1:
        low, high = low - 2.0 ** (ds.BitsStored - 1), high - 2.0 ** (ds.BitsStored - 1)
    if ds.get("RescaleSlope") is not None:
        low, high = (float(ds.RescaleSlope) * v + float(ds.RescaleIntercept) for v in (low, high))
    for use, sequence in ((True, "ModalityLUTSequence"), (lut, "VOILUTSequence")):
        if use and sequence in ds:
            low, high = 0.0, 2.0 ** ds[sequence][index if lut else 0].LUTDescriptor[2] - 1
    return (out - low) / (high - low) * 65535


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("signed", [False, True])
def test_windows_agree_with_pydicom_and_highdicom(function, signed):
    rng = np.random.default_rng([FUNCTIONS.index(function), signed])
    stored = np.arange(4096) - (np.arange(4096) >> 11 << 12 if signed else 0)
    for slope, intercept in [(1.0, 0.0), (1.0, 0.0), (2.5, -100.0), (0.5, 7.25)] * 5:
        center, width = np.round(rng.uniform([-500, 2], [3500, 5000]), 2).tolist()
        plain = Grayscale(12, 12, signed, slope, intercept, function=function)
        g = replace(plain, windows=(Window(center, width),), invert=bool(rng.integers(2)))
        ours = display_table(g, Voi()).astype(np.float64)
        pydicom_says = pydicom_display(dataset_of(g), stored)
        pydicom_says = 65535 - pydicom_says if g.invert else pydicom_says
        assert np.abs(ours - pydicom_says).max() <= HALF_STEP
        highdicom_says = highdicom.pixels.apply_voi_window(
            stored * slope + intercept, center, width, function, (0, 65535), invert=g.invert
        )
        assert np.abs(ours - highdicom_says).max() <= HALF_STEP


@pytest.mark.parametrize("bits", [8, 10, 12, 16])
@pytest.mark.parametrize("signed", [False, True])
def test_luts_agree_with_highdicom_and_where_it_is_right_with_pydicom(bits, signed):
    stored = np.arange(4096) - (np.arange(4096) >> 11 << 12 if signed else 0)
    for seed in range(10):
        lut = random_lut(np.random.default_rng([seed, bits]), 4096, -2048 if signed else 0)
        lut = replace(lut, bits=bits, data=(lut.values & (2**bits - 1)).astype("<u2").tobytes())
        g = Grayscale(12, 12, signed, voi_luts=(lut,))
        ours = display_table(g, Voi()).astype(np.float64)
        out = highdicom.pixels.apply_lut(stored, lut.values, lut.first)
        assert np.abs(ours - out / (2**bits - 1) * 65535).max() <= HALF_STEP
        if bits > 8:  # pydicom 3.0.2 counts the entries of an 8-bit LUT in 8 bits
            assert np.abs(ours - pydicom_display(dataset_of(g), stored)).max() <= HALF_STEP


def test_modality_lut_agrees_with_pydicom_also_before_a_window_or_a_voi_lut():
    rng = np.random.default_rng(5)
    stored = np.arange(4096)
    for _ in range(10):
        modality = Lut(100, 16, rng.integers(0, 65536, 3000).astype("<u2").tobytes())
        voi = Lut(1000, 12, rng.integers(0, 4096, 50000).astype("<u2").tobytes())
        plain = Grayscale(12, 12, modality_lut=modality)
        windowed = replace(plain, windows=(Window(30000, 25000),), function="SIGMOID")
        for g in (plain, windowed, replace(plain, voi_luts=(voi,))):
            theirs = pydicom_display(dataset_of(g), stored.astype(np.int32))
            assert np.abs(display_table(g, Voi()) - theirs).max() <= HALF_STEP


def grayscale_of(ds: Dataset) -> Grayscale:
    """The grayscale of a well-formed header, without padding."""
    centers, widths = ([float(v) for v in np.ravel(ds.get(k, []))] for k in WINDOW_KEYWORDS)
    luts = [
        Lut(item.LUTDescriptor[1], item.LUTDescriptor[2], np.array(item.LUTData, "<u2").tobytes())
        for item in ds.get("VOILUTSequence", [])
    ]
    return Grayscale(
        bits=ds.BitsAllocated,
        bits_stored=ds.BitsStored,
        function=ds.get("VOILUTFunction", "LINEAR"),
        windows=tuple(Window(c, w) for c, w in zip(centers, widths, strict=True)),
        voi_luts=tuple(luts),
    )


WINDOW_KEYWORDS = ("WindowCenter", "WindowWidth")
ALL_STORED = np.arange(65536).astype(np.uint16)


def test_ge_header_with_three_luts_and_three_sigmoid_windows(shared_data):
    ds = pydicom.dcmread(shared_data / "mammograms/GH133.dcm", stop_before_pixels=True)
    g = grayscale_of(ds)
    assert (len(g.voi_luts), len(g.windows), g.function) == (3, 3, "SIGMOID")
    assert choose_voi(g, Voi(pick="widest")) is g.voi_luts[2]  # SOFTER, 3887 entries
    assert choose_voi(g, Voi("window", "widest")) == Window(2569, 1050)
    for index in range(3):
        theirs = pydicom_display(ds, ALL_STORED, index)
        assert np.abs(display_table(g, Voi(pick=index)) - theirs).max() <= HALF_STEP
        lut = g.voi_luts[index]
        theirs = highdicom.pixels.apply_lut(ALL_STORED.astype(int), lut.values, lut.first)
        theirs = theirs / 4095 * 65535
        assert np.abs(display_table(g, Voi("lut", index)) - theirs).max() <= HALF_STEP

        ours = display_table(g, Voi("window", index))
        theirs = pydicom_display(ds, ALL_STORED, index, lut=False)
        assert np.abs(ours - theirs).max() <= HALF_STEP
        window = (g.windows[index].center, g.windows[index].width)
        theirs = highdicom.pixels.apply_voi_window(ALL_STORED, *window, "SIGMOID", (0, 65535))
        assert np.abs(ours - theirs).max() <= HALF_STEP
    padded = replace(g, padding=(ds.PixelPaddingValue, ds.PixelPaddingRangeLimit))
    ours, plain = (display_table(x, Voi("window")) for x in (padded, g))
    assert ours[:31].tolist() == [0] * 31
    np.testing.assert_array_equal(ours[31:], plain[31:])


@pytest.mark.parametrize(
    "name",
    [
        "mammograms/OutOfBoundsOverlay.dcm",
        "mammograms/MG1_J2KI.dcm",
        "mammograms/MG1_JPLY.dcm",
        "mammograms/MG_Explicit_Little.dcm",
        "mammograms/jpeg2k_3d.dcm",
        "conformance/weasis/imageForPrLUTs.dcm",
    ],
)
def test_real_headers_with_a_window_or_none_agree_with_pydicom(shared_data, name):
    ds = pydicom.dcmread(shared_data / name, stop_before_pixels=True)
    g = grayscale_of(ds)
    assert (choose_voi(g, Voi()) is None) == ("WindowCenter" not in ds)
    theirs = np.clip(pydicom_display(ds, ALL_STORED[: 2**g.bits]), 0, 65535)
    assert np.abs(display_table(g, Voi()) - theirs).max() <= HALF_STEP
