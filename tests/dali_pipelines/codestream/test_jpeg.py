"""SOF and SOS facts and the way to the true EOI, on JPEG streams built by hand (T.81 annex B)."""

import re
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dali_pipelines.codestream import jpeg as module
from dali_pipelines.codestream.jpeg import measure, read_header, walk_marks
from dali_pipelines.codestream.markers import Extent
from dali_pipelines.verdicts import Reason, RejectError

SOI, EOI = b"\xff\xd8", b"\xff\xd9"
SOF0, SOF1, SOF2, SOF3, SOF55 = 0xFFC0, 0xFFC1, 0xFFC2, 0xFFC3, 0xFFF7


def segment(marker: int, parameters: bytes) -> bytes:
    return struct.pack(">HH", marker, len(parameters) + 2) + parameters


def sof(
    marker: int = SOF3, precision: int = 12, height: int = 40, width: int = 60, count: int = 1
) -> bytes:
    components = b"".join(bytes([k + 1, 0x11, 0]) for k in range(count))
    return segment(marker, struct.pack(">BHHB", precision, height, width, count) + components)


def sos(first: int = 1, last: int = 0, count: int = 1, middle: int = 0) -> bytes:
    components = b"".join(bytes([k + 1, 0]) for k in range(count))
    return segment(0xFFDA, bytes([count]) + components + bytes([first, middle, last]))


DHT = segment(0xFFC4, bytes([0, 1] + [0] * 15 + [0]))
THUMBNAIL = segment(0xFFE0, SOI + sof(SOF2) + sos() + b"data" + EOI)
COMMENT = segment(0xFFFE, b"\xff\xd9 is no end here")
SCAN = b"ab\xff\x00cd\xff\xd0ef"


def jpeg(*parts: bytes) -> bytes:
    return SOI + b"".join(parts) + EOI


def header_reason(data: bytes) -> Reason:
    with pytest.raises(RejectError) as caught:
        read_header(data)
    return caught.value.reason


def reject_of(data: bytes) -> RejectError:
    with pytest.raises(RejectError) as caught:
        measure(data)
    return caught.value


@pytest.mark.parametrize(
    ("marker", "kind", "lossy"),
    [
        (SOF0, "jpeg_dct", True),
        (SOF1, "jpeg_dct", True),
        (SOF3, "jpeg_lossless", False),
        (SOF55, "jpegls", False),
    ],
)
def test_kind_and_size(marker: int, kind: str, lossy: bool) -> None:
    first = 0 if marker == SOF55 else 1
    info = read_header(jpeg(THUMBNAIL, sof(marker), DHT, sos(first), SCAN))
    assert (info.kind, info.lossy) == (kind, lossy)
    assert (info.height, info.width, info.components, info.precision) == (40, 60, 1, 12)
    assert not info.signed
    assert not info.tables_first


@pytest.mark.parametrize("predictor", range(1, 8))
@pytest.mark.parametrize("point_transform", [0, 3])
def test_predictor_and_point_transform(predictor: int, point_transform: int) -> None:
    info = read_header(jpeg(sof(), DHT, sos(predictor, point_transform), SCAN))
    assert (info.predictor, info.point_transform) == (predictor, point_transform)


def test_tables_before_the_frame() -> None:
    assert read_header(jpeg(DHT, sof(), sos(), SCAN)).tables_first
    assert not read_header(jpeg(sof(), DHT, sos(), SCAN)).tables_first
    assert not read_header(jpeg(THUMBNAIL, sof(), sos(), SCAN)).tables_first


@pytest.mark.parametrize(("near", "lossy"), [(0, False), (1, True), (255, True)])
def test_near_lossless(near: int, lossy: bool) -> None:
    info = read_header(jpeg(sof(SOF55), sos(first=near), SCAN))
    assert (info.kind, info.lossy, info.predictor) == ("jpegls", lossy, 0)


def test_header_needs_nothing_after_sos() -> None:
    data = SOI + sof() + DHT + sos(predictor := 6)
    assert read_header(data).predictor == predictor
    assert header_reason(data[:-1]) is Reason.TRUNCATED
    assert read_header(SOI + sof(SOF1)).kind == "jpeg_dct"


@pytest.mark.parametrize(
    "marker", [0xFFC0 + k for k in range(16) if k not in {0, 1, 3, 4, 8, 12}], ids=hex
)
def test_frames_of_other_processes(marker: int) -> None:
    assert header_reason(jpeg(sof(marker), sos(), SCAN)) is Reason.UNSUPPORTED


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ((sof(height=0), sos()), Reason.CORRUPT),
        ((sof(width=0), sos()), Reason.CORRUPT),
        ((sof(count=0), sos()), Reason.CORRUPT),
        ((sof(precision=17), sos()), Reason.UNSUPPORTED),
        ((sof(precision=0), sos()), Reason.UNSUPPORTED),
        ((sof(), sos(first=0)), Reason.UNSUPPORTED),
        ((sof(), sos(first=8)), Reason.UNSUPPORTED),
        ((sof(), sos(last=12)), Reason.CORRUPT),
        ((sof(), sof(), sos()), Reason.CORRUPT),
        ((sos(), sof()), Reason.CORRUPT),
        ((sof(),), Reason.CORRUPT),
        ((), Reason.CORRUPT),
        ((b"\xff\xd0", sof(), sos()), Reason.CORRUPT),
        ((b"\xff\xc3\x00\x05\x0c\x00\x10", sos()), Reason.CORRUPT),
        ((sof()[:-1], sos()), Reason.CORRUPT),
        ((b"junk", sof(), sos()), Reason.CORRUPT),
        ((b"\xff\xe0\x00\x01", sof(), sos()), Reason.CORRUPT),
        ((sof(), segment(0xFFDA, b"\x01\x01\x00\x01\x00\x00\x00")), Reason.CORRUPT),
    ],
)
def test_header_that_cannot_be(parts: tuple[bytes, ...], reason: Reason) -> None:
    assert header_reason(jpeg(*parts)) is reason


@pytest.mark.parametrize("marker", [SOF1, SOF3])
def test_end_is_after_the_true_eoi(marker: int) -> None:
    data = jpeg(
        THUMBNAIL, b"\xff", sof(marker), COMMENT, b"\xff\xff", DHT, sos(), SCAN, b"\xff\xff"
    )
    assert measure(data + b"\0" + EOI) == Extent(len(data), proven=marker == SOF3)


def test_bytes_after_ff_in_jpegls_are_data_below_80() -> None:
    data = jpeg(sof(SOF55), sos(first=0), b"\xff\x7f\xff\x01\xff\x00\xff\x59\xff\xd7more")
    assert measure(data + b"tail") == Extent(len(data), proven=True)


@pytest.mark.parametrize("code", [0x01, 0x40, 0x7F])
def test_bytes_after_ff_in_jpeg_are_no_data(code: int) -> None:
    scan = b"ab\xff" + bytes([code]) + b"\0\0\0"
    assert reject_of(jpeg(sof(), DHT, sos(), scan)).reason is Reason.CORRUPT


def test_comment_after_the_scan() -> None:
    data = jpeg(sof(), DHT, sos(), SCAN, COMMENT)
    assert measure(data + COMMENT).end == len(data)


def test_scans_of_all_components() -> None:
    scans = [sos() + SCAN, DHT + sos() + SCAN, sos() + SCAN]
    assert measure(jpeg(sof(count=3), *scans)).proven
    assert measure(jpeg(sof(count=3), sos(count=3), SCAN)).proven
    reject = reject_of(jpeg(sof(count=3), *scans[:2]))
    assert reject.reason is Reason.TRUNCATED
    assert "2 of 3" in reject.detail
    assert reject_of(jpeg(sof(count=2), *scans)).reason is Reason.CORRUPT


def test_empty_scan_and_no_scan() -> None:
    assert reject_of(jpeg(sof(), DHT, sos())).reason is Reason.TRUNCATED
    assert reject_of(jpeg(sof(), DHT)).reason is Reason.TRUNCATED
    assert reject_of(jpeg()).reason is Reason.TRUNCATED


@pytest.mark.parametrize("marker", [SOF1, SOF3, SOF55])
def test_every_cut_is_noticed(marker: int) -> None:
    data = jpeg(THUMBNAIL, sof(marker), DHT, COMMENT, sos(), SCAN, COMMENT)
    for stop in range(len(data)):
        assert reject_of(data[:stop]).reason in {Reason.TRUNCATED, Reason.CORRUPT}


def test_more_fill_bytes_than_anyone_writes() -> None:
    assert header_reason(SOI + b"\xff" * 200_000) is Reason.CORRUPT


# Stuffing, a restart, fill bytes and a restart, stuffing, the end after a fill byte, and more.
MARKED = b"a\xff\x00b\xff\xd0cd\xff\xff\xff\xd1\xff\x00e\xff\xff\xd9\xff\xd9"


@pytest.fixture(params=[1, 2, 3, 7, 1 << 18])
def block(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(module, "_FIRST_BLOCK", request.param)
    monkeypatch.setattr(module, "_LAST_BLOCK", request.param)
    return int(request.param)


def test_marks_do_not_depend_on_blocks(block: int) -> None:
    found = list(walk_marks(b"\xff\xd9" + MARKED, 2))
    offsets, codes, before = (np.concatenate(part).tolist() for part in zip(*found, strict=True))
    assert offsets == [6, 12, 18]
    assert codes == [0xD0, 0xD1, 0xD9]
    assert before == [1, 4, 7]


def test_extent_does_not_depend_on_blocks(block: int) -> None:
    data = jpeg(sof(), DHT, sos(), SCAN * 5, COMMENT, DHT)
    assert measure(data + EOI).end == len(data)
    data = jpeg(sof(SOF55), sos(first=0), b"\xff\x7f\xff\xffab\xff\xd7\xff\x00")
    assert measure(data + EOI).end == len(data)


def test_scan_without_an_end(block: int) -> None:
    for scan in (b"", b"\xff", SCAN, SCAN + b"\xff", SCAN + b"\xff\xff", MARKED[:16]):
        assert reject_of(SOI + sof() + DHT + sos() + scan).reason is Reason.TRUNCATED


@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(st.lists(st.sampled_from([0x00, 0x41, 0x7F, 0x80, 0xD0, 0xD8, 0xFE, 0xFF]), max_size=40))
def test_the_end_of_a_scan_is_what_a_regular_expression_finds(scan: list[int]) -> None:
    data = bytes(scan)
    for stuffing, pattern in (
        (0x00, rb"\xff[\x01-\xcf\xd8-\xfe]"),
        (0x7F, rb"\xff[\x80-\xcf\xd8-\xfe]"),
    ):
        wanted = re.search(pattern, data)
        if wanted is None:
            with pytest.raises(RejectError, match="without EOI"):
                list(walk_marks(data, 0, stuffing))
        else:
            *_, last = walk_marks(data, 0, stuffing)
            assert last.offsets[-1] == wanted.start()
