"""Where pydicom and highdicom depart from PS3.3 C.11, why, and that we are on the standard's side.

The one list of them, with one departure in the values themselves. Only valid headers: what becomes
of windows that are no numbers, of half a rescale and the like is in `test_grayscale_voi` and
`test_grayscale_tags`. Not in it either: pydicom knows no pixel padding, and scales a Presentation
LUT Sequence, which images do not have, by the least and the largest value of the picture.
"""

import io
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace

import highdicom
import highdicom.pixels
import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.pixels import apply_modality_lut, apply_presentation_lut, apply_voi_lut

from dali_pipelines.cpu.decode import decode
from dali_pipelines.dicom.image import ReadOptions, read_image
from dali_pipelines.grayscale import display_values
from dali_pipelines.phantom.encode import SYNTAXES, encode_frame
from dali_pipelines.reader import read_encoded
from dali_pipelines.records import Grayscale, Lut, Window
from dali_pipelines.storage.archive import Source
from dali_pipelines.voi_settings import Voi
from tests.dicom_file import DicomFile
from tests.grayscale_exact import exact_value
from tests.pydicom_display import dataset_of, output_range, stored_values

TOP = 65535
TESTED = {"pydicom": pydicom.__version__ == "3.0.2", "highdicom": highdicom.__version__ == "0.28.2"}
BYTE = Grayscale(8, 8)
PICTURE = np.arange(201)  # of 8 bits, but no value above 200


def lut(values, first=0, bits=16):
    return Lut(first, bits, np.asarray(values, "<u2").tobytes())


def as_stored(g: Grayscale) -> np.ndarray:
    """All stored values in the type in which pydicom gives the pixels."""
    return stored_values(g).astype(np.int16 if g.signed else np.uint16)


def shown(g: Grayscale, ds: Dataset | None = None) -> np.ndarray:
    """Display values 0 ... 65535 by pydicom alone, nothing converted in between."""
    ds = ds or dataset_of(g)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of one of its own departures
        out = apply_voi_lut(apply_modality_lut(as_stored(g), ds), ds).astype(np.float64)
    low, high = output_range(ds)
    if "VOILUTSequence" in ds:
        low, high = 0.0, 2.0 ** ds.VOILUTSequence[0].LUTDescriptor[2] - 1
    return (out - low) / (high - low) * TOP


def inverted_picture(g: Grayscale) -> np.ndarray:
    ds = Dataset()
    ds.PresentationLUTShape = "INVERSE"
    patterns = apply_presentation_lut(PICTURE, ds) * TOP / 255
    return np.append(patterns, np.zeros(2**g.bits - len(PICTURE)))


def function_left_empty(g: Grayscale) -> np.ndarray:
    ds = dataset_of(g)
    ds.VOILUTFunction = ""
    return shown(g, ds)


def packed_entries(g: Grayscale) -> np.ndarray:
    ds = dataset_of(g)
    ds.set_original_encoding(False, True)
    item = ds.VOILUTSequence[0]
    item.add_new("LUTData", "OW", g.voi_luts[0].values.astype("u1").tobytes())
    return shown(g, ds)


def threshold_of_highdicom(g: Grayscale) -> np.ndarray:
    center, width = g.windows[0].center, g.windows[0].width
    with np.errstate(all="ignore"):
        values = stored_values(g)
        return highdicom.pixels.apply_voi_window(values, center, width, "LINEAR", (0, TOP))


def narrow_signed_jpeg() -> DicomFile:
    """All patterns of 12 bit, in order, in a lossless JPEG of 12; the header says 16, signed."""
    header = {"BitsStored": 16, "HighBit": 15, "PixelRepresentation": 1}
    file = DicomFile(Rows=64, Columns=64, WindowCenter="0", WindowWidth="4096", **header)
    patterns = np.arange(4096, dtype=np.uint16).reshape(64, 64)
    file.syntax, file.pixels = SYNTAXES["jpeg_sv1"], [encode_frame(patterns, 12, "jpeg_sv1")]
    return file


def narrow_stream(_: Grayscale) -> np.ndarray:
    ds = pydicom.dcmread(io.BytesIO(narrow_signed_jpeg().encode()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that precisions differ
        values = ds.pixel_array.ravel().astype(np.float64)
    return np.clip((values + 0.5) / 4095 + 0.5, 0, 1) * TOP


@dataclass(frozen=True)
class Departure:
    """`theirs` shows otherwise than C.11 wants it, or raises `error`; `reason` says why."""

    name: str
    reason: str
    grayscale: Grayscale
    theirs: Callable[[Grayscale], np.ndarray] = shown
    error: type[Exception] | None = None
    library: str = "pydicom"


DEPARTURES = [
    Departure(
        "8-bit VOI LUT of more than 256 entries",
        "the place in the table is computed in the type of its entries and wraps at 256",
        Grayscale(12, 12, voi_luts=(lut(np.arange(4096) // 16, bits=8),)),
    ),
    Departure(
        "VOI LUT input more than 65535 above the first",
        "the place in the table is computed in 16 bits and wraps; C.11.2.1.1: the last entry",
        Grayscale(12, 12, slope=32.0, intercept=0.0, voi_luts=(lut([7, 65535]),)),
    ),
    Departure(
        "VOI LUT after a rescale that gives fractions",
        "fractions are cut off, not rounded, so 1.9 takes the entry of 1",
        replace(BYTE, slope=0.95, voi_luts=(lut(range(0, 65536, 256)),)),
    ),
    Departure(
        "LUT of one entry",
        "a LUT Data of one value is no list, and cannot be indexed",
        replace(BYTE, voi_luts=(lut([700]),)),
        error=IndexError,
    ),
    Departure(
        "modality LUT of 12 bits",
        "there is no NumPy type of 12 bits; C.11.1.1.1 has 8 and 16, real files more",
        replace(BYTE, modality_lut=lut(range(0, 4096, 16), bits=12)),
        error=TypeError,
    ),
    Departure(
        "modality LUT of unsigned values that begins below zero",
        "a negative number is taken from unsigned values",
        replace(BYTE, modality_lut=lut(range(0, 60000, 100), first=-20)),
        error=OverflowError,
    ),
    Departure(
        "VOI LUT of unsigned values that begins below zero",
        "a negative number is taken from unsigned values",
        replace(BYTE, voi_luts=(lut(range(0, 60000, 100), first=-20),)),
        error=OverflowError,
    ),
    Departure(
        "8-bit VOI LUT, two entries a word",
        "LUT Data as OW is read as words only",
        replace(BYTE, voi_luts=(lut(range(256), bits=8),)),
        theirs=packed_entries,
        error=struct.error,
    ),
    Departure(
        "VOI LUT Function left empty",
        "C.11.2.1.3: without a value it is LINEAR",
        replace(BYTE, windows=(Window(100, 50),)),
        theirs=function_left_empty,
        error=ValueError,
    ),
    Departure(
        "window after a negative rescale slope",
        "the output runs from the rescaled least stored value, so black and white change places",
        replace(BYTE, slope=-1.0, intercept=255.0, windows=(Window(128, 100),)),
    ),
    Departure(
        "signed values in a JPEG of fewer bits than Bits Stored",
        "JPEG states no sign, and they take 12 bits for a value of 16 that is never negative; the "
        "stream's 12 bits are the value, so its highest one is the sign (dcmdjpeg gives the same)",
        Grayscale(12, 12, signed=True, windows=(Window(0, 4096),)),
        theirs=narrow_stream,
    ),
    Departure(
        "inversion",
        "it is taken from the largest value of the picture; C.11.6.1.2: from the largest there is",
        replace(BYTE, invert=True),
        theirs=inverted_picture,
    ),
    Departure(
        "threshold, a LINEAR window of width 1",
        "it divides by a width of 0; C.11.2.1.2.1 divides nowhere, as no value is inside",
        replace(BYTE, windows=(Window(100.5, 1),)),
        theirs=threshold_of_highdicom,
        library="highdicom",
    ),
]


@pytest.mark.parametrize("case", DEPARTURES, ids=lambda case: case.name)
def test_we_show_what_the_standard_wants_where_others_do_not(case):
    g = case.grayscale
    wanted = np.array([float(exact_value(g, k)) for k in range(2**g.bits)])
    assert np.abs(display_values(g, Voi()) - wanted).max() <= TOP * 1e-9
    if not TESTED[case.library]:
        return  # another version may have mended it
    if case.error is not None:
        with pytest.raises(case.error):
            case.theirs(g)
        return
    theirs = case.theirs(g)
    counted = slice(len(PICTURE)) if case.theirs is inverted_picture else slice(None)
    apart = np.abs(theirs - wanted)[counted]
    assert np.isnan(apart).any() or apart.max() > TOP * 1e-3


def test_a_jpeg_of_fewer_bits_than_stored_has_its_sign_in_its_highest_bit(tmp_path):
    source = Source(str(narrow_signed_jpeg().write(tmp_path / "a.dcm")))
    record = read_image(source, bytes(32), ReadOptions())
    assert record.grayscale == Grayscale(12, 12, signed=True, windows=(Window(0, 4096),))
    assert record.flags == ("precision_mismatch",)
    assert np.array_equal(decode(read_encoded(record)).values.ravel(), np.arange(4096))


def test_the_list_gives_a_reason_for_each():
    assert len({case.name for case in DEPARTURES}) == len(DEPARTURES)
    assert all(case.reason for case in DEPARTURES)
