"""Display values of real headers against pydicom and highdicom, for every window and VOI LUT."""

from dataclasses import replace

import highdicom.pixels
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset

from dali_pipelines.grayscale import choose_voi, display_values
from dali_pipelines.records import Grayscale, Lut, Window
from dali_pipelines.voi_settings import Voi
from tests.pydicom_display import pydicom_display

CLOSE = 65535e-12


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
        assert np.abs(display_values(g, Voi(pick=index)) - theirs).max() <= CLOSE
        lut = g.voi_luts[index]
        theirs = highdicom.pixels.apply_lut(ALL_STORED.astype(int), lut.values, lut.first)
        theirs = theirs / 4095 * 65535
        assert np.abs(display_values(g, Voi("lut", index)) - theirs).max() <= CLOSE

        ours = display_values(g, Voi("window", index))
        theirs = pydicom_display(ds, ALL_STORED, index, lut=False)
        assert np.abs(ours - theirs).max() <= CLOSE
        window = (g.windows[index].center, g.windows[index].width)
        theirs = highdicom.pixels.apply_voi_window(ALL_STORED, *window, "SIGMOID", (0, 65535))
        assert np.abs(ours - theirs).max() <= CLOSE
    padded = replace(g, padding=(ds.PixelPaddingValue, ds.PixelPaddingRangeLimit))
    ours, plain = (display_values(x, Voi("window")) for x in (padded, g))
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
    assert np.abs(display_values(g, Voi()) - theirs).max() <= CLOSE
