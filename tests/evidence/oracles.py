"""Decoders that are not ours and refuse what is damaged, by transfer syntax.

Each gives the numbers (N, H, W) of all frames of one gray image, signed where it takes them so.
Where one library is behind two names it is named once: gdcm's JPEG-LS and pyjpegls are CharLS, as
ours is, and all JPEG 2000 here is OpenJPEG but for Pillow's build of it; what they judge is how
their callers and ours read headers, and that two builds agree.
"""

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import openjpeg
import pydicom
from pydicom.encaps import generate_frames
from pydicom.pixels import get_decoder
from pydicom.uid import RLELossless

from dali_pipelines.dicom.uids import NATIVE_SYNTAXES

Oracle = Callable[[Path, Path], np.ndarray]
JPEG = "1.2.840.10008.1.2.4."


def by_pydicom(plugin: str) -> Oracle:
    """pydicom's reading of the header and the named decoder."""

    def decode(path: Path, _folder: Path) -> np.ndarray:
        dataset = pydicom.dcmread(path)
        decoder = get_decoder(dataset.file_meta.TransferSyntaxUID)
        values, _ = decoder.as_array(dataset, raw=True, decoding_plugin=plugin)
        return values if values.ndim == 3 else values[None]

    return decode


def by_dcmtk(program: str) -> Oracle:
    """DCMTK's program writes the pixels uncompressed; these are read as they lie there.

    pydicom would drop what a lossy stream gives above BitsStored.
    """

    def decode(path: Path, folder: Path) -> np.ndarray:
        plain = folder / "plain.dcm"
        subprocess.run([program, path, plain], check=True, capture_output=True)
        dataset = pydicom.dcmread(plain)
        kind = f"<{'iu'[1 - dataset.PixelRepresentation]}{dataset.BitsAllocated // 8}"
        count = int(dataset.get("NumberOfFrames") or 1)
        shape = (count, dataset.Rows, dataset.Columns)
        return np.frombuffer(dataset.PixelData, kind, count=np.prod(shape)).reshape(shape)

    return decode


def by_openjpeg(path: Path, _folder: Path) -> np.ndarray:
    """OpenJPEG, with the codestream's own sign; pydicom only cuts the frames."""
    dataset = pydicom.dcmread(path)
    count = int(dataset.get("NumberOfFrames") or 1)
    frames = generate_frames(dataset.PixelData, number_of_frames=count)
    return np.stack([openjpeg.decode(frame) for frame in frames])


_RAW = {"pydicom": by_pydicom("")}
_DCT = {"dcmdjpeg": by_dcmtk("dcmdjpeg")}
_LOSSLESS = {"gdcm": by_pydicom("gdcm"), "dcmdjpeg": by_dcmtk("dcmdjpeg")}
_JPEG_LS = {"pyjpegls": by_pydicom("pyjpegls"), "dcmdjpls": by_dcmtk("dcmdjpls")}
_JPEG_2000 = {"gdcm": by_pydicom("gdcm"), "openjpeg": by_openjpeg}
_HTJ2K = {"openjpeg": by_openjpeg}
# By transfer syntax and name; each takes a file and an empty folder.
ORACLES: dict[str, dict[str, Oracle]] = {
    **dict.fromkeys(NATIVE_SYNTAXES, _RAW),
    RLELossless: {"pydicom": by_pydicom("pydicom"), "dcmdrle": by_dcmtk("dcmdrle")},
    **dict.fromkeys((f"{JPEG}50", f"{JPEG}51"), _DCT),
    **dict.fromkeys((f"{JPEG}57", f"{JPEG}70"), _LOSSLESS),
    **dict.fromkeys((f"{JPEG}80", f"{JPEG}81"), _JPEG_LS),
    **dict.fromkeys((f"{JPEG}90", f"{JPEG}91"), _JPEG_2000),
    **dict.fromkeys((f"{JPEG}201", f"{JPEG}202", f"{JPEG}203"), _HTJ2K),
}
