"""The sound files that mutants are made of: phantoms in every syntax, and real files cut small."""

import struct
from dataclasses import dataclass, replace
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from dali_pipelines.cpu.decode import decode
from dali_pipelines.dicom.image import ReadOptions, read_image
from dali_pipelines.phantom.encode import SYNTAXES, encode_frame
from dali_pipelines.phantom.header import HeaderSpec
from dali_pipelines.phantom.lossless_jpeg import LosslessJpeg, encode_lossless
from dali_pipelines.phantom.write import write_dicom
from dali_pipelines.reader import read_encoded
from dali_pipelines.records import Window
from dali_pipelines.storage.archive import Source
from tests.frame_stack import TOMOSYNTHESIS, dicom_of, stack, with_table
from tests.fuzz.tiles import encode_tiles

SHAPE = (48, 40)
TILED = (64, 128)
KEY = b"key of the fuzzer"
OPTIONS = ReadOptions(any_modality=True, accept_processing=True)
REAL = ("GH133", "OutOfBoundsOverlay", "MG1_J2KI", "MG1_JPLY", "MG_Explicit_Little")
PYDICOM = (
    *("MR_small.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_implicit.dcm"),
    *("MR_small_jp2klossless.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_expb.dcm"),
    *("JPEGLSNearLossless_08.dcm", "JPEGLSNearLossless_16.dcm", "693_J2KI.dcm", "image_dfl.dcm"),
)


@dataclass(frozen=True)
class Seed:
    """A sound file of `frames` frames. `proven`: its codestreams tell whether they are whole."""

    name: str
    data: bytes
    proven: bool
    frames: int


def build_corpus(folder: Path, shared: Path | None) -> list[Seed]:
    """All seeds, in an order that depends on nothing but whether `shared` data are there."""
    files = {**_phantoms(folder), **_made(folder), **_stacks(), **_of_pydicom()}
    if shared is not None:
        files |= _real(folder, shared / "mammograms")
    return [_seed(folder, name, data) for name, data in files.items()]


def _seed(folder: Path, name: str, data: bytes) -> Seed:
    path = folder / "seed.dcm"
    path.write_bytes(data)
    record = read_image(Source(str(path)), KEY, replace(OPTIONS, frames="first"))
    return Seed(name, data, "unproven" not in record.flags, record.tags.number_of_frames)


def _picture(precision: int) -> np.ndarray:
    """A bright disk on a dark ground, with some noise."""
    rows, columns = np.indices(SHAPE)
    disk = np.hypot(rows - SHAPE[0] / 2, columns) < SHAPE[1] / 2
    noise = np.random.default_rng(5).random(SHAPE)
    return ((0.6 * disk + 0.3 * noise) * ((1 << precision) - 1)).astype(np.uint16)


def _phantoms(folder: Path) -> dict[str, bytes]:
    """Every syntax that a phantom is written in, with headers that differ."""
    windows = (Window(1000, 2000), Window(2048, 4096), Window(900.5, 1))
    specs = {name: HeaderSpec(syntax=name, sop_uid=f"1.2.3.{k}") for k, name in enumerate(SYNTAXES)}
    specs["raw 8"] = HeaderSpec(precision=8)
    specs["raw inverse"] = HeaderSpec(photometric="MONOCHROME1", windows=windows, padding=0)
    specs["rle 8"] = HeaderSpec(syntax="rle", precision=8, function="SIGMOID")
    specs["j2k 16, 5 fragments"] = HeaderSpec(syntax="j2k", precision=16, fragments=5)
    specs["htj2k 10"] = HeaderSpec(syntax="htj2k", precision=10, windows=())
    specs["jpegls 8"] = HeaderSpec(syntax="jpegls", precision=8)
    specs["predictor 6"] = HeaderSpec(syntax="jpeg_lossless", predictor=6, tables_first=True)
    files = {}
    for name, spec in specs.items():
        write_dicom(folder / "phantom.dcm", _picture(spec.precision), spec)
        files[name] = (folder / "phantom.dcm").read_bytes()
    return files


def _made(folder: Path) -> dict[str, bytes]:
    """Codestreams that phantoms do not have: tiles, restarts, DCT, near-lossless, signed, LUTs."""
    deep, flat = _picture(12), _picture(8).astype(np.uint8)
    streams = {
        "j2k": {
            "j2k tiles": encode_tiles(np.resize(deep, TILED), 12),
            "j2k lossy": imagecodecs.jpeg2k_encode(flat, level=40, reversible=False),
            "j2k signed": imagecodecs.jpeg2k_encode(deep.astype(np.int16) - 900, level=0),
        },
        "htj2k": {"htj2k tile-parts": imagecodecs.htj2k_encode(deep, tile=(32, 32), tilepart=1)},
        "jpeg_lossless": {
            "restarts": encode_lossless(deep, LosslessJpeg(12, 4, restart_rows=7)),
            "dct 8": imagecodecs.jpeg8_encode(flat, 90),
            "dct 12": imagecodecs.jpeg8_encode(deep, 90, bitspersample=12),
        },
        "jpegls": {"near-lossless": imagecodecs.jpegls_encode(deep, level=3)},
    }
    files = {}
    for syntax, named in streams.items():
        for name, stream in named.items():
            precision = 8 if stream in (streams["j2k"]["j2k lossy"], named.get("dct 8")) else 12
            changes = {"PixelRepresentation": 1} if "signed" in name else _lut()
            spec = HeaderSpec(syntax=syntax, precision=precision, changes=changes)
            values = np.resize(_picture(precision), TILED if "tiles" in name else SHAPE)
            write_dicom(folder / "made.dcm", values, spec)
            files[name] = _with_frame(folder / "made.dcm", bytes(stream))
    return files


def _lut() -> dict[str, object]:
    table = Dataset()
    table.add_new(0x00283002, "US", [256, 0, 12])
    table.add_new(0x00283006, "OW", struct.pack("<256H", *range(0, 4096, 16)))
    return {"VOILUTSequence": [table]}


def _stacks() -> dict[str, bytes]:
    """Tomosynthesis of 3 frames, in one or two fragments each."""
    files = {}
    for syntax, fragments, table in (
        *(("raw", 1, ""), ("j2k", 2, ""), ("jpeg_sv1", 1, "basic"), ("jpegls", 1, "extended")),
        *(("rle", 1, "basic"), ("htj2k", 1, "")),
    ):
        frames = stack(3, shape=(24, 20))
        file = dicom_of(frames, syntax, 12, fragments, SOPClassUID=TOMOSYNTHESIS)
        files[f"frames {syntax}"] = (with_table(file, table, fragments) if table else file).encode()
    return files


def _of_pydicom() -> dict[str, bytes]:
    paths = {name: get_testdata_file(name, download=False) for name in PYDICOM}
    return {f"pydicom {name}": Path(path).read_bytes() for name, path in paths.items() if path}


def _real(folder: Path, mammograms: Path) -> dict[str, bytes]:
    """The headers of real mammograms over a part of their pixels, coded as before."""
    files = {}
    for name in REAL:
        source = Source(str(mammograms / f"{name}.dcm"))
        encoded = read_encoded(read_image(source, KEY, OPTIONS))
        values = np.asarray(decode(encoded).values)
        top, left = (side // 2 for side in values.shape)
        values = values[top : top + SHAPE[0], left : left + SHAPE[1]]
        header = pydicom.dcmread(source.path)
        header.Rows, header.Columns = SHAPE
        stream = encoded.record.stream
        if stream.kind == "raw":
            header.PixelData = values.astype(f"<u{header.BitsAllocated // 8}").tobytes()
        else:
            header.PixelData = encapsulate([_encode_as(stream.kind, values, stream.precision)])
        header.save_as(folder / "real.dcm", enforce_file_format=False)
        files[name] = (folder / "real.dcm").read_bytes()
    return files


def _encode_as(kind: str, values: np.ndarray, precision: int) -> bytes:
    if kind == "jpeg_dct":
        return bytes(imagecodecs.jpeg8_encode(values, 90, bitspersample=precision))
    if kind == "j2k":
        return bytes(imagecodecs.jpeg2k_encode(values, level=45, bitspersample=precision))
    return encode_frame(values, precision, "jpeg_sv1")


def _with_frame(path: Path, stream: bytes) -> bytes:
    """The file with another codestream."""
    header = pydicom.dcmread(path)
    header.PixelData = encapsulate([stream])
    header.save_as(path)
    return path.read_bytes()
