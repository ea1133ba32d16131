"""Facts and completeness of real files, against their headers and what decoders return."""

from collections.abc import Iterator
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames

from dali_pipelines.codestream.stream import bare_codestream, prove_complete, read_stream_info
from dali_pipelines.verdicts import Flag, Reason, RejectError

HEAD = 1 << 16
KINDS = {
    "1.2.840.10008.1.2.4.50": "jpeg_dct",
    "1.2.840.10008.1.2.4.51": "jpeg_dct",
    "1.2.840.10008.1.2.4.57": "jpeg_lossless",
    "1.2.840.10008.1.2.4.70": "jpeg_lossless",
    "1.2.840.10008.1.2.4.80": "jpegls",
    "1.2.840.10008.1.2.4.81": "jpegls",
    "1.2.840.10008.1.2.4.90": "j2k",
    "1.2.840.10008.1.2.4.91": "j2k",
}
LOSSY = {"J2KI", "JLSN", "JPLY"}


def first_frame(header: pydicom.Dataset) -> bytes:
    count = int(header.get("NumberOfFrames", 1))
    return next(generate_frames(header.PixelData, number_of_frames=count))


def compressed_files(folder: Path) -> Iterator[Path]:
    yield from sorted((folder / "mammograms").glob("*.dcm"))
    yield from sorted((folder / "conformance" / "jpeg_lossless_sel1to7").glob("*.dcm"))
    yield folder / "conformance" / "weasis" / "jpeg2000-multiframe-multifragments.dcm"
    for codec in ("J2KR", "J2KI", "JLSL", "JLSN", "JPLL", "JPLY"):
        yield from sorted((folder / "conformance" / "nema_wg04" / codec).iterdir())


def test_files_agree_with_their_tags(shared_data: Path) -> None:
    seen = set()
    for path in compressed_files(shared_data):
        header = pydicom.dcmread(path)
        kind = KINDS.get(header.file_meta.TransferSyntaxUID)
        if kind is None:
            continue
        stream = first_frame(header)
        info = read_stream_info(stream[:HEAD])
        assert (info.kind, info.height, info.width) == (kind, header.Rows, header.Columns)
        assert header.BitsStored <= info.precision <= header.BitsAllocated
        assert not info.boxed
        if kind == "j2k":
            assert info.signed == bool(header.PixelRepresentation)
        if path.parent.name in LOSSY:
            assert info.lossy
        flags = prove_complete(memoryview(stream), info)
        untold = kind == "j2k" and not stream[stream.index(b"\xff\x90\0\x0a") + 11]  # TNsot 0
        assert flags == ((Flag.UNPROVEN,) if kind == "jpeg_dct" or untold else ())
        bare = bare_codestream(memoryview(stream), info)
        assert len(stream) - len(bare) <= 1
        for share in (0.05, 0.5, 0.99, 0.9999):
            with pytest.raises(RejectError) as caught:
                prove_complete(bare[: min(int(len(bare) * share), len(bare) - 1)], info)
            assert caught.value.reason is Reason.TRUNCATED
        seen.add(kind)
    assert seen == {"j2k", "jpeg_dct", "jpeg_lossless", "jpegls"}


def test_facts_of_known_mammograms(shared_data: Path) -> None:
    folder = shared_data / "mammograms"
    film = pydicom.dcmread(folder / "MG1_J2KI.dcm")
    info = read_stream_info(first_frame(film))  # 41 fragments
    assert (info.kind, info.precision, info.lossy) == ("j2k", 12, True)
    siemens = read_stream_info(first_frame(pydicom.dcmread(folder / "OutOfBoundsOverlay.dcm")))
    assert (siemens.predictor, siemens.tables_first) == (1, True)
    ge = read_stream_info(first_frame(pydicom.dcmread(folder / "GH133.dcm")))
    assert (ge.precision, ge.predictor, ge.tables_first) == (16, 1, False)


def test_predictors(shared_data: Path) -> None:
    folder = shared_data / "conformance" / "jpeg_lossless_sel1to7"
    for predictor in range(1, 8):
        header = pydicom.dcmread(folder / f"jpeg_lossless_sel{predictor}.dcm")
        assert read_stream_info(first_frame(header)).predictor == predictor


def test_htj2k_streams(shared_data: Path) -> None:
    paths = sorted((shared_data / "conformance" / "htj2k").glob("*.j2c"))
    assert paths
    for path in paths:
        stream = path.read_bytes()
        info = read_stream_info(stream[:HEAD])
        values = imagecodecs.jpeg2k_decode(stream)
        assert (info.kind, info.height, info.width) == ("htj2k", *values.shape)
        assert info.signed == (values.dtype == np.int16)
        assert prove_complete(memoryview(stream), info) == ()


def test_boxed_file_with_parts_numbered_one_too_few() -> None:
    path = get_testdata_file("GDCMJ2K_TextGBR.dcm", download=False)
    stream = first_frame(pydicom.dcmread(str(path)))
    info = read_stream_info(stream)
    assert info.boxed
    bare = bare_codestream(memoryview(stream), info)
    assert np.array_equal(imagecodecs.jpeg2k_decode(bytes(bare)), imagecodecs.jpeg2k_decode(stream))
    assert prove_complete(memoryview(stream), info) == (Flag.BOXED,)
