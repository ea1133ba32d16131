"""The pixels that come of frames: those that were coded, and pydicom's for real files."""

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest

from dali_pipelines.cpu.decode import decode
from dali_pipelines.dicom.image import ReadOptions, read_images
from dali_pipelines.reader import read_encoded
from dali_pipelines.records import ImageRecord
from dali_pipelines.storage.archive import Source
from dali_pipelines.verdicts import Reason, RejectError
from tests.frame_stack import dicom_of, stack, with_table

REAL = {
    "mammograms/jpeg2k_3d.dcm": 4,
    "conformance/jpeg_lossless_sel1to7/jpeg_lossless_sel1-8bit.dcm": 12,
    "conformance/weasis/jpeg2000-multiframe-multifragments.dcm": 19,
}
SYNTAXES = ("raw", "implicit", "rle", "j2k", "j2k_boxed", "htj2k", "jpegls", "jpeg_sv1")
Read = Callable[..., tuple[ImageRecord, ...]]


def pixels(records: tuple[ImageRecord, ...]) -> np.ndarray:
    """What the reader and the decoder make of records, (n, H, W)."""
    return np.stack([np.asarray(decode(read_encoded(record)).values) for record in records])


def wanted(frames: str, values: np.ndarray) -> np.ndarray:
    """What `frames` gives of the frames (n, H, W)."""
    middle = (len(values) - 1) // 2
    return {
        "first": values[:1],
        "middle": values[middle : middle + 1],
        "all": values,
        "mip": values.max(axis=0, keepdims=True),
    }[frames]


@pytest.mark.parametrize("frames", ["first", "middle", "all", "mip"])
@pytest.mark.parametrize(
    ("syntax", "table", "fragments"),
    [
        *((syntax, "empty", 1) for syntax in SYNTAXES),
        *((syntax, "basic", 1) for syntax in SYNTAXES[2:]),
        *((syntax, "extended", 1) for syntax in SYNTAXES[2:]),
        *((syntax, "empty", 3) for syntax in SYNTAXES[3:]),
        *((syntax, "basic", 3) for syntax in SYNTAXES[3:]),
    ],
)
def test_the_pixels_are_those_that_were_coded(
    read: Read, syntax: str, table: str, fragments: int, frames: str
) -> None:
    for precision in (12,) if fragments > 1 else (8, 12, 16):
        values = stack(4, precision)
        file = dicom_of(values, syntax, precision, fragments)
        if not isinstance(file.pixels, bytes):
            file = with_table(file, table, fragments)
        records = read(file, frames)
        assert np.array_equal(pixels(records), wanted(frames, values))
        assert not any("offset_table_wrong" in record.flags for record in records)
        assert [record.tags.number_of_frames for record in records] == [4] * len(records)


def test_a_deflated_object_of_several_frames(read: Read) -> None:
    values = stack()
    file = dicom_of(values, "deflated")
    engine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    body = engine.compress(file.data_set()) + engine.flush()
    data = bytes(128) + b"DICM" + file.meta() + body
    for frames in ("middle", "all", "mip"):
        assert np.array_equal(pixels(read(data, frames)), wanted(frames, values))


def test_the_maximum_of_signed_values_is_taken_as_such(read: Read) -> None:
    values = np.random.default_rng(0).integers(-2048, 2048, (5, 9, 7))
    for syntax in ("raw", "rle", "jpegls"):
        patterns = (values & 0xFFF).astype(np.uint16)
        (record,) = read(dicom_of(patterns, syntax, PixelRepresentation=1), "mip")
        found = pixels((record,))[0].astype(int)
        signed = np.where(found >= 2048, found - 4096, found)
        assert record.grayscale.signed
        assert np.array_equal(signed, values.max(axis=0)), syntax


FALLING = [
    {"PhotometricInterpretation": "MONOCHROME1"},
    {"PresentationLUTShape": "INVERSE"},
    {"RescaleSlope": "-1", "RescaleIntercept": "4095"},
    {"ModalityLUTSequence": [{"LUTDescriptor": (3, 0, 16), "LUTData": b"\2\0\1\0\0\0"}]},
]


@pytest.mark.parametrize("syntax", ["raw", "rle", "j2k"])
@pytest.mark.parametrize("signed", [0, 1])
@pytest.mark.parametrize(
    ("tags", "falls"),
    [
        ({}, False),
        *((tags, True) for tags in FALLING),
        ({**FALLING[0], **FALLING[2]}, False),
    ],
)
def test_the_maximum_is_what_is_shown_brightest(
    read: Read, tags: dict, falls: bool, signed: int, syntax: str
) -> None:
    values = np.random.default_rng(3).integers(-2048, 2048, (4, 9, 7))
    values += 0 if signed else 2048
    patterns = (values & 0xFFF).astype(np.uint16)
    (record,) = read(dicom_of(patterns, syntax, PixelRepresentation=signed, **tags), "mip")
    brightest = values.min(axis=0) if falls else values.max(axis=0)
    assert np.array_equal(pixels((record,))[0], brightest & 0xFFF)


@pytest.mark.parametrize("syntax", ["raw", "rle", "j2k"])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
@pytest.mark.parametrize("padding", [(4095, None), (0, None), (0, 5), (4095, 4000)])
def test_padding_never_wins(read: Read, padding: tuple, photometric: str, syntax: str) -> None:
    low, high = min(padding[0], padding[1] or padding[0]), max(padding[0], padding[1] or 0)
    values = np.random.default_rng(4).integers(100, 3000, (3, 9, 7)).astype(np.uint16)
    values[0, :, :3] = low  # the first, the last, and all frames in some place
    values[2, :, 2:5] = high
    values[:, 8] = [[low], [high], [low]]
    tags = {"PixelPaddingValue": padding[0], "PixelPaddingRangeLimit": padding[1]}
    file = dicom_of(values, syntax, PhotometricInterpretation=photometric, **tags)
    (record,) = read(file, "mip")
    found = pixels((record,))[0]
    seen = np.ma.masked_inside(values, low, high)
    wanted = seen.min(axis=0) if photometric == "MONOCHROME1" else seen.max(axis=0)
    assert np.array_equal(found[:8], wanted[:8].filled(0))
    assert ((found[8] >= low) & (found[8] <= high)).all()


@pytest.mark.parametrize("syntax", ["raw", "rle", "big"])
def test_bits_outside_the_stored_value_do_not_decide_the_maximum(read: Read, syntax: str) -> None:
    values = stack(4, 10)
    junk = np.random.default_rng(1).integers(0, 64, values.shape).astype(np.uint16)
    cells = values << 2 | junk & 3 | junk >> 2 << 12
    file = dicom_of(cells, "rle" if syntax == "rle" else "raw", 16, BitsStored=10, HighBit=11)
    if syntax == "big":
        file.big, file.syntax = True, "1.2.840.10008.1.2.2"
        file.pixels = cells.astype(">u2").tobytes()
    assert np.array_equal(pixels(read(file, "mip"))[0], values.max(axis=0))


def test_eight_bit_frames_of_odd_size_in_big_endian_words(read: Read) -> None:
    values = stack(2, 8, (4, 6))
    file = dicom_of(values, "raw", 8)
    file.big, file.syntax, file.pixel_vr = True, "1.2.840.10008.1.2.2", "OW"
    file.pixels = values.astype(np.uint8).tobytes()
    file.pixels = np.frombuffer(file.pixels, ">u2").astype("<u2").tobytes()
    for frames in ("all", "mip"):
        assert np.array_equal(pixels(read(file, frames)), wanted(frames, values))
    odd = dicom_of(stack(2, 8, (3, 3)), "raw", 8)
    odd.big, odd.syntax = True, "1.2.840.10008.1.2.2"
    with pytest.raises(RejectError) as caught:
        read(odd, "all")
    assert caught.value.reason is Reason.UNSUPPORTED


@pytest.mark.parametrize("frames", ["first", "middle", "all", "mip"])
@pytest.mark.parametrize("name", REAL)
def test_real_files_give_the_pixels_of_pydicom(shared_data: Path, name: str, frames: str) -> None:
    path = shared_data / name
    options = ReadOptions(frames=frames, any_modality=True)
    records = read_images(Source(str(path)), bytes(32), options)
    values = pydicom.dcmread(path).pixel_array
    assert len(values) == REAL[name]
    assert np.array_equal(pixels(records), wanted(frames, values))
