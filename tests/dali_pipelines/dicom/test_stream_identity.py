from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dali_pipelines.dicom.uids import ENCAPSULATED_SYNTAXES
from dali_pipelines.phantom.encode import SYNTAXES, encode_frame
from dali_pipelines.records import ImageRecord
from dali_pipelines.verdicts import Reason, RejectError

EXPLICIT = "1.2.840.10008.1.2.1"
COMPRESSED = ("j2k", "htj2k", "jpegls", "jpeg_sv1", "jpeg_lossless", "rle")
Read = Callable[..., ImageRecord]


@pytest.fixture(scope="module")
def streams() -> dict[str, bytes]:
    """A 16-bit image of 40 x 30 pixels in every codestream."""
    values = np.random.default_rng(0).integers(0, 1 << 16, (40, 30)).astype(np.uint16)
    return {name: encode_frame(values, 16, name, predictor=1) for name in SYNTAXES}


@pytest.fixture
def file_of(new_dicom: Any, streams: dict[str, bytes]) -> Callable[..., Any]:
    """file_of("j2k", labeled="rle", **tags) -> a file whose payload and label may differ."""

    def make(payload: str, labeled: str = "", **tags: Any) -> Any:
        file = new_dicom(**{"Rows": 40, "Columns": 30, "BitsStored": 16, "HighBit": 15, **tags})
        file.syntax = SYNTAXES.get(labeled or payload, labeled)
        data = streams[payload]
        file.pixels = data if payload == "raw" else [data]
        return file

    return make


def reject_of(read: Read, file: Any, **options: Any) -> RejectError:
    with pytest.raises(RejectError) as caught:
        read(file, **options)
    return caught.value


@pytest.mark.parametrize("hashed", [True, False])
@pytest.mark.parametrize("name", COMPRESSED)
def test_what_is_announced_is_taken(
    file_of: Any, read_dicom: Read, name: str, hashed: bool
) -> None:
    record = read_dicom(file_of(name), hash=hashed)
    assert record.stream.kind == ENCAPSULATED_SYNTAXES[SYNTAXES[name]]
    assert (record.stream.height, record.stream.width, record.stream.precision) == (40, 30, 16)
    assert record.flags == ()
    assert bool(record.sha256) is hashed


@pytest.mark.parametrize("labeled", COMPRESSED)
@pytest.mark.parametrize("payload", COMPRESSED)
def test_an_unmistakable_payload_beats_its_label(
    file_of: Any, read_dicom: Read, payload: str, labeled: str
) -> None:
    kinds = [ENCAPSULATED_SYNTAXES[SYNTAXES[name]] for name in (payload, labeled)]
    record = read_dicom(file_of(payload, labeled))
    assert record.stream.kind == kinds[0]
    assert record.flags == (("ts_mismatch",) if kinds[0] != kinds[1] else ())


def test_unknown_and_missing_syntaxes_are_sniffed(file_of: Any, read_dicom: Read) -> None:
    for syntax in ("1.2.840.10008.1.2.4.94", "1.2.3", None, EXPLICIT):
        file = file_of("j2k")
        file.syntax = syntax
        assert read_dicom(file).flags == ("ts_mismatch",)
        file.pixels = [b"\1\2\3\4" * 50]
        assert reject_of(read_dicom, file).reason is Reason.SYNTAX
    raw = file_of("raw", "1.2.840.113619.5.2")  # native, but of a private byte order
    assert reject_of(read_dicom, raw).reason is Reason.SYNTAX


def test_native_pixels_under_a_compressed_label(file_of: Any, read_dicom: Read) -> None:
    record = read_dicom(file_of("raw", "j2k"))
    assert (record.stream.kind, record.flags) == ("raw", ("ts_mismatch",))
    short = file_of("raw", "j2k")
    short.pixels = short.pixels[:-2]
    assert reject_of(read_dicom, short).reason is Reason.SYNTAX


@pytest.mark.parametrize("extra", [0, 4000])
def test_a_codestream_as_native_pixels(file_of: Any, read_dicom: Read, extra: int) -> None:
    file = file_of("j2k", "raw")
    file.pixels = file.pixels[0] + bytes(extra)
    record = read_dicom(file, hash=False)
    assert (record.stream.kind, record.flags) == ("j2k", ("ts_mismatch",))


@pytest.mark.parametrize("name", COMPRESSED)
def test_garbage_under_a_known_label_is_corrupt(file_of: Any, read_dicom: Read, name: str) -> None:
    file = file_of(name)
    file.pixels = [b"\xaa\x55" * 400]
    assert reject_of(read_dicom, file).reason is Reason.CORRUPT


@pytest.mark.parametrize("tags", [{"Rows": 30, "Columns": 40}, {"Rows": 41}, {"Columns": 1}])
@pytest.mark.parametrize("name", COMPRESSED[:5])
def test_another_size_is_refused_before_any_decoder(
    file_of: Any, read_dicom: Read, name: str, tags: dict[str, int]
) -> None:
    error = reject_of(read_dicom, file_of(name, **tags), hash=False)
    assert error.reason is Reason.GEOMETRY
    assert "the codestream has 40 rows, 30 columns and 1 components" in error.detail


def test_color_components_are_refused(file_of: Any, read_dicom: Read) -> None:
    import imagecodecs

    file = file_of("j2k")
    color = np.zeros((40, 30, 3), np.uint8)
    file.pixels = [bytes(imagecodecs.jpeg2k_encode(color, level=0, codecformat="j2k"))]
    assert reject_of(read_dicom, file).reason is Reason.GEOMETRY


def test_a_size_bomb_is_refused_by_its_header(file_of: Any, read_dicom: Read) -> None:
    file = file_of("j2k")
    stream = bytearray(file.pixels[0])
    stream[8:16] = b"\x7f\xff\xff\xff" * 2  # Xsiz, Ysiz
    stream[24:32] = b"\x7f\xff\xff\xff" * 2  # one tile
    file.pixels = [bytes(stream)]
    assert reject_of(read_dicom, file, hash=False).reason is Reason.GEOMETRY


@pytest.mark.parametrize("name", ["j2k", "jpeg_sv1", "jpegls"])
def test_another_precision_is_flagged_and_kept(file_of: Any, read_dicom: Read, name: str) -> None:
    record = read_dicom(file_of(name, BitsStored=12, HighBit=11))
    assert record.flags == ("precision_mismatch",)
    assert (record.grayscale.bits, record.grayscale.bits_stored) == (16, 12)


def test_the_sign_of_j2k_is_the_streams(file_of: Any, read_dicom: Read) -> None:
    record = read_dicom(file_of("j2k", PixelRepresentation=1))
    assert (record.flags, record.grayscale.signed) == (("sign_mismatch",), True)
    file = file_of("j2k")
    stream = bytearray(file.pixels[0])
    stream[42] |= 0x80  # Ssiz: signed
    file.pixels = [bytes(stream)]
    record = read_dicom(file)
    assert (record.flags, record.grayscale.signed) == (("sign_mismatch",), True)
    file.tags["PixelRepresentation"] = 1
    assert read_dicom(file).flags == ()
    for name in ("jpegls", "jpeg_sv1", "rle"):  # these state no sign
        record = read_dicom(file_of(name, PixelRepresentation=1))
        assert (record.flags, record.grayscale.signed) == ((), True)


def test_boxes_predictors_and_lossy_streams_are_flagged(file_of: Any, read_dicom: Read) -> None:
    import imagecodecs

    assert read_dicom(file_of("j2k_boxed")).flags == ("jp2_box",)
    values = np.random.default_rng(0).integers(0, 1 << 16, (40, 30)).astype(np.uint16)
    other = file_of("jpeg_sv1")
    other.pixels = [encode_frame(values, 16, "jpeg_lossless", predictor=4)]
    assert read_dicom(other).flags == ("ts_mismatch",)
    lossy = file_of("j2k")
    lossy.pixels = [bytes(imagecodecs.jpeg2k_encode(values, level=40, codecformat="j2k"))]
    assert read_dicom(lossy).flags == ("lossy_in_lossless_ts",)
    lossy.syntax = "1.2.840.10008.1.2.4.91"
    assert read_dicom(lossy).flags == ()


@pytest.mark.parametrize("hashed", [True, False])
def test_a_header_may_be_longer_than_the_head(
    file_of: Any, read_dicom: Read, streams: dict[str, bytes], hashed: bool
) -> None:
    profile = b"\xff\xe2" + (40_002).to_bytes(2, "big") + b"ICC" + b"x" * 39_997  # APP2
    box = (80_008).to_bytes(4, "big") + b"uuid" + b"u" * 80_000
    for name, at, extra in (
        ("jpeg_sv1", 2, profile * 2),
        ("j2k_boxed", streams["j2k_boxed"].index(b"jp2c") - 4, box),
    ):
        data = streams[name][:at] + extra + streams[name][at:]
        file = file_of(name)
        file.pixels = [data[:70_000], data[70_000:]]
        plain, record = (read_dicom(f, hash=hashed) for f in (file_of(name), file))
        assert (record.stream, record.flags) == (plain.stream, plain.flags)
        file.pixels = [data[:70_000]]
        assert reject_of(read_dicom, file, hash=hashed).reason is Reason.TRUNCATED


def test_native_sizes(new_dicom: Any, read_dicom: Read) -> None:
    file = new_dicom()
    record = read_dicom(file)
    assert record.stream.kind == "raw"
    assert sum(length for _, length in record.location.fragments) == 48
    file.pixels = bytes(46)
    error = reject_of(read_dicom, file)
    assert error.reason is Reason.TRUNCATED
    assert "have 46 bytes, 48 were expected" in error.detail
    file.pixels = bytes(50)
    assert read_dicom(file).flags == ("excess_bytes",)
    assert read_dicom(file).location.fragments[0][1] == 48
    beyond = bytearray(new_dicom().encode())
    beyond[-52:-48] = (100).to_bytes(4, "little")
    assert read_dicom(bytes(beyond)).flags == ("length_beyond_eof",)
    odd = new_dicom(Rows=3, Columns=5, BitsAllocated=8, BitsStored=8, HighBit=7)
    odd.pixels = bytes(16)  # one byte of padding
    assert read_dicom(odd).flags == ()


def test_a_first_pixel_like_a_codestream_stays_native(new_dicom: Any, read_dicom: Read) -> None:
    file = new_dicom()
    file.pixels = b"\xff\x4f\xff\x51" + bytes(44)
    assert read_dicom(file).stream.kind == "raw"


def test_big_endian_words(new_dicom: Any, read_dicom: Read) -> None:
    file = new_dicom()
    file.big, file.syntax = True, "1.2.840.10008.1.2.2"
    assert read_dicom(file).tags.transfer_syntax_uid == "1.2.840.10008.1.2.2"


def test_an_rle_frame_is_held_to_its_size(file_of: Any, read_dicom: Read) -> None:
    file = file_of("rle", Rows=4000, Columns=3000)
    assert reject_of(read_dicom, file).reason is Reason.TRUNCATED
    eight = file_of("rle", BitsAllocated=8, BitsStored=8, HighBit=7)
    assert reject_of(read_dicom, eight).reason is Reason.CORRUPT
