"""DICOM files of any size in every syntax, and bombs: small files that claim to be large."""

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image
from pydicom import dcmwrite
from pydicom.encaps import encapsulate

from dali_pipelines.phantom.encode import NATIVE, encode_frame
from dali_pipelines.phantom.header import HeaderSpec, build_header, make_uid

SYNTAXES = (
    *("raw", "deflated", "rle", "jpeg_sv1", "jpegls", "htj2k", "j2k"),
    *("j2k in tiles", "j2k of noise", "htj2k of noise"),
)
PRECISION = 12


def write_large(path: Path, side: int, name: str) -> Path:
    """A square image in one of SYNTAXES; of noise is what compresses worst."""
    rng = np.random.default_rng(0)
    if "noise" in name:
        values = rng.integers(0, 1 << PRECISION, (side, side), np.uint16)
    else:
        soft = 2000 + 200 * np.sin(np.arange(1000) / 50)[:, None]
        block = (soft + rng.normal(0, 30, (1000, 1000))).astype(np.uint16)
        count = -(-side // 1000)
        values = np.tile(block, (count, count))[:side, :side]
    syntax = name.partition(" ")[0]
    if name == "j2k in tiles":
        frame, precision = _in_tiles(values), 16
    elif syntax == "jpeg_sv1":
        frame = imagecodecs.jpeg8_encode(values, lossless=True, bitspersample=PRECISION)
        precision = PRECISION
    else:
        frame, precision = encode_frame(values, PRECISION, syntax), PRECISION
    return write_frame(path, bytes(frame), values.shape, HeaderSpec(syntax, precision))


def _in_tiles(values: np.ndarray) -> bytes:
    out = io.BytesIO()
    image = Image.fromarray(values)
    image.save(out, "JPEG2000", no_jp2=True, irreversible=False, tile_size=(1024, 1024))
    return out.getvalue()


def write_frame(path: Path, frame: bytes, shape: tuple[int, int], header: HeaderSpec) -> Path:
    """A file around bytes that need not fit what the header says."""
    dataset = build_header(header, shape)
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = make_uid(path.name)
    is_native = header.syntax in NATIVE
    dataset.PixelData = frame if is_native else encapsulate([frame])
    dataset["PixelData"].VR = "OW" if is_native else "OB"
    dataset["PixelData"].is_undefined_length = not is_native
    dcmwrite(path, dataset, enforce_file_format=True)
    return path


def _small(syntax: str = "j2k") -> bytes:
    return encode_frame(np.arange(4096, dtype=np.uint16).reshape(64, 64), PRECISION, syntax)


def restated_size(stream: bytes, height: int, width: int) -> bytes:
    """A JPEG 2000 stream whose SIZ says another size, of the image and of its one tile."""
    at = stream.index(b"\xff\x51") + 6  # marker, length, capabilities: T.800 table A.9
    changed = bytearray(stream)
    for offset, value in ((0, width), (4, height), (16, width), (20, height)):
        struct.pack_into(">I", changed, at + offset, value)
    return bytes(changed)


def siz_of_two_gigapixels(path: Path) -> Path:
    forged = restated_size(_small(), 2**31 - 1, 2**31 - 1)
    return write_frame(path, forged, (64, 64), HeaderSpec("j2k", PRECISION))


def four_hundred_megapixels(path: Path) -> Path:
    forged = restated_size(_small(), 20_000, 20_000)
    return write_frame(path, forged, (20_000, 20_000), HeaderSpec("j2k", PRECISION))


def _zeros(gibibytes: int) -> bytes:
    """Raw deflate of that many GiB of zeros, a thousandth of it in length, but for its end."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = packer.compress(bytes(1 << 26)) + packer.flush(zlib.Z_FULL_FLUSH)
    return piece * (16 * gibibytes)


def deflated_four_gibibytes(path: Path) -> Path:
    write_frame(path, bytes(2 * 64 * 64), (64, 64), HeaderSpec("deflated", PRECISION))
    content = path.read_bytes()
    (meta_length,) = struct.unpack_from("<I", content, 140)
    start = 144 + meta_length
    data_set = zlib.decompress(content[start:], -15)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = packer.compress(data_set) + packer.flush(zlib.Z_FULL_FLUSH)
    path.write_bytes(content[:start] + head + _zeros(4) + b"\x03\x00")
    return path


def zip_of_four_gibibytes(path: Path, claim: int = 2**32 - 2**20) -> Path:
    """A zip file of one member that unfolds to 4 GiB; `claim` is what the directory says."""
    write_frame(path, bytes(2 * 64 * 64), (64, 64), HeaderSpec("raw", PRECISION))
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    head = packer.compress(path.read_bytes()) + packer.flush(zlib.Z_FULL_FLUSH)
    packed = head + _zeros(4) + b"\x03\x00"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("image.dcm", b"")
        info = archive.getinfo("image.dcm")
    content = bytearray(path.read_bytes())
    directory = content.index(b"PK\x01\x02")
    head_end = 30 + len(info.filename)
    content = content[:head_end] + packed + content[directory:]
    directory = head_end + len(packed)
    for at in (14, directory + 16):
        struct.pack_into("<II", content, at + 4, len(packed), claim)
    struct.pack_into("<I", content, content.rindex(b"PK\x05\x06") + 16, directory)
    path.write_bytes(content)
    return path


def zip_that_hides_its_size(path: Path) -> Path:
    return zip_of_four_gibibytes(path, 1 << 20)


def huge_value(path: Path) -> Path:
    """An element before the pixels that claims 4 GiB."""
    write_frame(path, bytes(2 * 64 * 64), (64, 64), HeaderSpec("raw", PRECISION))
    content = bytearray(path.read_bytes())
    at = content.index(b"\xe0\x7f\x10\x00OW")
    element = struct.pack("<HH2s2xI", 0x0043, 0x1001, b"OB", 0xFFFFFFF0)
    path.write_bytes(content[:at] + element + content[at:])
    return path


def header_without_end(path: Path) -> Path:
    """Two million empty elements before the pixels."""
    write_frame(path, bytes(2 * 64 * 64), (64, 64), HeaderSpec("raw", PRECISION))
    content = path.read_bytes()
    at = content.index(b"\xe0\x7f\x10\x00OW")
    empty = struct.pack("<HH2sH", 0x6FFF, 0x1001, b"LO", 0)
    path.write_bytes(content[:at] + empty * 2_000_000 + content[at:])
    return path


def hundred_thousand_frames(path: Path) -> Path:
    header = HeaderSpec("j2k", PRECISION, changes={"NumberOfFrames": 100_000})
    return write_frame(path, _small(), (64, 64), header)


def sixty_five_thousand_square(path: Path) -> Path:
    header = HeaderSpec("rle", PRECISION)
    return write_frame(path, _small("rle"), (65_535, 65_535), header)


BOMBS: tuple[tuple[Callable[[Path], Path], str], ...] = (
    (siz_of_two_gigapixels, "E_GEOMETRY"),
    (four_hundred_megapixels, "E_TOO_LARGE"),
    (sixty_five_thousand_square, "E_TOO_LARGE"),
    (deflated_four_gibibytes, "E_TOO_LARGE"),
    (zip_of_four_gibibytes, "E_TOO_LARGE"),
    (zip_that_hides_its_size, "E_CORRUPT"),
    (huge_value, "E_TRUNCATED"),
    (header_without_end, "E_TOO_LARGE"),
    (hundred_thousand_frames, "multiframe"),
)


def four_by_four_blocks(path: Path, side: int) -> Path:
    """A sound header that makes OpenJPEG keep a record of each of (side / 4)**2 code-blocks."""
    stream = bytearray(
        imagecodecs.jpeg2k_encode(
            np.zeros((side, side), np.uint16), level=0, codecformat="j2k", bitspersample=PRECISION
        )
    )
    cod = stream.index(b"\xff\x52") + 10  # marker, length, style, progression, layers, MCT, levels
    stream[cod : cod + 2] = b"\0\0"  # T.800 table A.18: 2**(0 + 2) x 2**(0 + 2)
    return write_frame(path, bytes(stream), (side, side), HeaderSpec("j2k", PRECISION))
