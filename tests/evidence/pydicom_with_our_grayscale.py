"""A plugin of pytest that puts our gray scale in the place of pydicom's functions.

For pydicom's own tests, in a process of their own. Each function reads the data set's tags as a
scan does, makes the display values 0 ... 65535 of every stored value, and spreads them over the
output range that pydicom has. What is no gray scale - types of arrays, an array that comes back as
it is where there is nothing to do - follows pydicom.
"""

import copy
import io
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filereader import read_dataset
from pydicom.filewriter import correct_ambiguous_vr, write_dataset
from pydicom.pixels import processing

from dali_pipelines.dicom.grayscale_tags import read_grayscale
from dali_pipelines.dicom.lut_tags import read_lut
from dali_pipelines.dicom.pixel_format import PixelFormat
from dali_pipelines.grayscale import choose_voi, display_values
from dali_pipelines.grayscale_checks import stored_range
from dali_pipelines.records import Grayscale, Lut, StreamInfo
from dali_pipelines.voi_settings import Voi

TOP, MOST_BITS = 65535, 16
MODALITY = ("RescaleSlope", "RescaleIntercept", "ModalityLUTSequence")
WINDOWS = ("WindowCenter", "WindowWidth", "VOILUTFunction")
LUTS = ("VOILUTSequence",)
SHAPE = ("PresentationLUTShape",)

calls: list[None] = []


def apply_modality_lut(arr, ds):
    calls.append(None)
    rescaled = "RescaleSlope" in ds and "RescaleIntercept" in ds
    if not ds.get("ModalityLUTSequence") and not rescaled:
        return arr
    g = grayscale_of(ds, arr, MODALITY)
    out = modality_outputs(g)[patterns_of(arr, g)]
    return out.astype(f"u{1 if g.modality_lut.bits == 8 else 2}") if g.modality_lut else out


def apply_windowing(arr, ds, index=0):
    calls.append(None)
    if "WindowWidth" not in ds and "WindowCenter" not in ds:
        return arr
    voi = Voi("window", index, fallback="reject")
    if ds.BitsStored > MOST_BITS:
        return through_window_alone(arr, ds, voi)
    rescaled = ds.get("ModalityLUTSequence") or ds.get("RescaleSlope") is not None
    g = grayscale_of(ds, full_range(ds) if rescaled else arr, MODALITY + WINDOWS)
    low, high = modality_range(g)
    shown = display_values(g, voi) * (high - low) / TOP + low
    return shown[inputs_of(arr, g)]


def through_window_alone(arr, ds, voi):
    """A scan refuses pixels of 32 bits, so there is no table of them: each is an intercept here."""
    low, high = (float(end) for end in full_range(ds))
    plain = grayscale_of(ds, np.zeros(1, int), WINDOWS)
    shown = [display_values(replace(plain, intercept=float(x)), voi)[0] for x in arr]
    return np.array(shown) * (high - low) / TOP + low


def apply_voi(arr, ds, index=0):
    calls.append(None)
    if not ds.get("VOILUTSequence"):
        return arr
    arr = arr.astype(np.int64)
    g = grayscale_of(ds, arr, LUTS)
    voi = Voi("lut", index, fallback="reject")
    return entries(g, voi, choose_voi(g, voi))[patterns_of(arr, g)]


def apply_voi_lut(arr, ds, index=0, prefer_lut=True):
    calls.append(None)
    g = grayscale_of(ds, arr, WINDOWS + LUTS)
    kinds = ("lut", "window") if prefer_lut else ("window", "lut")
    chosen = next(filter(None, (choose_voi(g, Voi(kind)) for kind in kinds)), None)
    if chosen is None:
        return arr
    return (apply_voi if isinstance(chosen, Lut) else apply_windowing)(arr, ds, index)


def apply_presentation_lut(arr, ds):
    calls.append(None)
    if "PresentationLUTSequence" in ds:
        return through_presentation_lut(arr, ds)
    g = grayscale_of(ds, arr, SHAPE)
    if not g.invert:
        return arr
    low, high = stored_range(g)
    shown = display_values(g, Voi("none")) * (high - low) / TOP + low
    return np.rint(shown).astype(arr.dtype)[patterns_of(arr, g)]


def through_presentation_lut(arr, ds):
    """Presentation LUTs are none of an image's own; here one stands in for a VOI LUT.

    Its input is the range of the picture, as pydicom has it.
    """
    item = encoded(ds, ("PresentationLUTSequence",)).PresentationLUTSequence[0]
    lut, _ = read_lut(item, signed_input=False)
    slope = (len(lut.values) - 1) / (int(arr.max()) - int(arr.min()))
    plain = grayscale_of(ds, arr, ())
    g = Grayscale(
        plain.bits, plain.bits, plain.signed, slope, -slope * int(arr.min()), voi_luts=(lut,)
    )
    return entries(g, Voi("lut"), lut)[patterns_of(arr, g)]


def entries(g, voi, lut):
    """The entry of a LUT for each pattern, as pydicom types it."""
    shown = display_values(g, voi) * (2**lut.bits - 1) / TOP
    return np.rint(shown).astype("u1" if lut.bits == 8 else "u2")


def modality_outputs(g):
    """What the modality step makes of each pattern, to six decimals."""
    low, high = modality_range(g)
    plain = Grayscale(g.bits, g.bits_stored, g.signed, g.slope, g.intercept, g.modality_lut)
    return np.round(display_values(plain, Voi("none")) * (high - low) / TOP + low, 6)


def modality_range(g):
    """The range of the modality step's output, which is that of pydicom's windows too."""
    if g.modality_lut is not None:
        return 0.0, 2.0**g.modality_lut.bits - 1
    return tuple(sorted(g.slope * end + g.intercept for end in stored_range(g)))


def inputs_of(arr, g):
    """For each modality output in `arr` a pattern that gives it."""
    outputs = modality_outputs(g)
    order = np.argsort(outputs, kind="stable")
    places = np.searchsorted(outputs[order], np.asarray(arr, np.float64) - 1e-6)
    found = order[np.minimum(places, len(order) - 1)]
    assert np.abs(outputs[found] - arr).max() <= 1e-6, "not an output of the modality step"
    return found


def patterns_of(arr, g):
    return arr.astype(np.int64) & (2**g.bits - 1)


def full_range(ds):
    """The ends of the stored values that the tags allow."""
    half = 2 ** (ds.BitsStored - 1)
    return np.array([-half, half - 1] if ds.PixelRepresentation else [0, 2 * half - 1])


def grayscale_of(ds, stored, names):
    """What our reader makes of these tags; bits and sign are those that `stored` needs."""
    least, most = int(stored.min()), int(stored.max())
    signed = least < 0
    needed = max(most.bit_length(), (-least - 1).bit_length()) + 1 if signed else most.bit_length()
    bits = max(min(ds.BitsStored, MOST_BITS), needed)
    form = PixelFormat(1, 1, 16, bits, bits - 1, signed)
    stream = StreamInfo("raw", 1, 1, 1, bits, signed)
    return read_grayscale(encoded(ds, names), "", stream, form)[0]


def encoded(ds, names):
    """A data set of these tags alone, written and read again: as raw as a file's."""
    part = Dataset()
    part.PixelRepresentation = int(ds.PixelRepresentation)
    for name in names:
        if name in ds:
            part[name] = copy.deepcopy(ds[name])
    for sequence in (element for element in part if element.VR == "SQ"):
        for item in sequence.value:
            pack_entries(item)
    file = DicomBytesIO()
    file.is_little_endian, file.is_implicit_VR = True, False
    write_dataset(file, correct_ambiguous_vr(part, True))
    return read_dataset(io.BytesIO(file.getvalue()), False, True)


def pack_entries(item):
    """LUT Data that is a list as words: it may be too long for the VR of a list."""
    if isinstance(item.get("LUTData"), Sequence) and not isinstance(item.LUTData, bytes):
        item.add_new("LUTData", "OW", np.array(item.LUTData, "<u2").tobytes())


OURS = (apply_modality_lut, apply_windowing, apply_voi, apply_voi_lut, apply_presentation_lut)
for function in OURS:
    setattr(processing, function.__name__, function)
processing.apply_rescale = apply_modality_lut


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    """Notes in the report how often a test called our functions."""
    calls.clear()
    yield
    item.user_properties.append(("calls", len(calls)))
