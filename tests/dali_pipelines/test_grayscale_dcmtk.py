"""Real mammograms as DCMTK shows them, in 8 bits: every window, every VOI LUT, either polarity.

DCMTK has no JPEG 2000, so all are written raw first. It truncates where we round, does not know
pixel padding, and takes LINEAR_EXACT for LINEAR: that function is held to highdicom.
"""

import subprocess
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import ExplicitVRLittleEndian

from dali_pipelines.cpu.decode import decode
from dali_pipelines.dicom.image import ReadOptions, read_image
from dali_pipelines.grayscale import display_table
from dali_pipelines.reader import read_encoded
from dali_pipelines.records import Grayscale, ImageRecord
from dali_pipelines.storage.archive import Source
from dali_pipelines.voi_settings import Voi

KINDS = {"window": "+Wi", "lut": "+Wl"}  # as DCMTK's option names the n-th of each


@pytest.mark.parametrize(
    ("name", "windows", "luts"),
    [
        ("GH133", 3, 3),
        ("OutOfBoundsOverlay", 1, 0),
        ("MG1_J2KI", 1, 0),
        ("MG1_JPLY", 1, 0),
        ("MG_Explicit_Little", 1, 0),
    ],
)
def test_a_mammogram_is_shown_as_by_dcmtk(name, windows, luts, shared_data, dcmtk, tmp_path):
    source = shared_data / f"mammograms/{name}.dcm"
    values = decode(read_encoded(record_of(source))).values
    for photometric, shape in (("MONOCHROME2", "IDENTITY"), ("MONOCHROME1", "INVERSE")):
        raw = write_raw(source, values, tmp_path / "raw.dcm", photometric, shape)
        g = record_of(raw).grayscale
        assert (len(g.windows), len(g.voi_luts)) == (windows, luts)
        assert g.invert == (photometric == "MONOCHROME1")
        for voi in views(g):
            theirs = dcmtk_picture(dcmtk, raw, voi)
            ours = np.rint(display_table(g, voi) / 257).astype(np.int16)
            counted = np.ones(len(ours), dtype=bool)
            if g.padding is not None:
                counted[g.padding[0] : g.padding[1] + 1] = False
                assert not ours[~counted].any()
            assert np.abs(ours[values] - theirs)[counted[values]].max() <= 1, voi


def record_of(path: Path) -> ImageRecord:
    return read_image(Source(str(path)), b"key of the tests", ReadOptions(any_modality=True))


def views(g: Grayscale) -> list[Voi]:
    windows = [Voi("window", k) for k in range(len(g.windows))]
    return windows + [Voi("lut", k) for k in range(len(g.voi_luts))]


def write_raw(source: Path, values: np.ndarray, path: Path, photometric: str, shape: str) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about other tags of these files
        ds = pydicom.dcmread(source)
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.PhotometricInterpretation, ds.PresentationLUTShape = photometric, shape
        ds.pop("IconImageSequence", None)  # still compressed
        data = values.astype("u1" if ds.BitsAllocated == 8 else "<u2").tobytes()
        ds.add_new("PixelData", "OB" if ds.BitsAllocated == 8 else "OW", data)
        ds.save_as(path)
    return path


def dcmtk_picture(dcmtk: Path, path: Path, voi: Voi) -> np.ndarray:
    """The picture (H, W) int16 in 0 ... 255 through the window or VOI LUT, without overlays."""
    out = path.with_suffix(".pgm")
    option = [KINDS[voi.use], str(int(voi.pick) + 1)]
    program = [dcmtk / "dcm2pnm", *option, "--no-overlays", "--write-raw-pnm", path, out]
    subprocess.run(program, check=True, capture_output=True)
    data = out.read_bytes()
    magic, width, height, top = data[:64].split(maxsplit=4)[:4]
    assert (magic, top) == (b"P5", b"255")
    pixels = np.frombuffer(data[-int(height) * int(width) :], np.uint8)
    return pixels.reshape(int(height), int(width)).astype(np.int16)
