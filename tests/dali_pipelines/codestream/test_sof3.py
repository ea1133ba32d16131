"""Headers put in order: the same picture, the same scan, and damage noticed as ever."""

import struct

import imagecodecs
import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.encaps import generate_frames

from dali_pipelines.codestream.bit_budget import read_budget
from dali_pipelines.codestream.sof3 import normalize_header
from dali_pipelines.codestream.stream import prove_complete, read_stream_info
from dali_pipelines.phantom.lossless_jpeg import LosslessJpeg, encode_lossless
from dali_pipelines.verdicts import Reason, RejectError


def segment(marker, parameters):
    return struct.pack(">HH", marker, len(parameters) + 2) + parameters


IMAGE = np.random.default_rng(5).integers(0, 4096, (21, 34)).astype(np.uint16)
STREAM = encode_lossless(IMAGE, LosslessJpeg(12, predictor=4, restart_rows=2))
FRAME = STREAM[2:15]
TABLES = STREAM[15 : STREAM.index(b"\xff\xdd")]
RESTART = STREAM[STREAM.index(b"\xff\xdd") :][:6]
SCAN = STREAM[STREAM.index(b"\xff\xda") :]
JFIF = segment(0xFFE0, b"JFIF\0\1\1\0\0\1\0\1\0\0")
COMMENT = segment(0xFFFE, b"\xff\xd8 \xff\xc3 \xff\xda")  # nothing in it counts
QUANTIZATION = segment(0xFFDB, bytes(65))


def normalized(*parts):
    data = np.frombuffer(b"\xff\xd8" + b"".join(parts), np.uint8)
    return normalize_header(data).tobytes()


def reason_of(stream):
    with pytest.raises(RejectError) as caught:
        normalize_header(np.frombuffer(stream, np.uint8))
    return caught.value.reason


def test_a_header_in_order_is_left_alone():
    data = np.frombuffer(STREAM, np.uint8)
    data.setflags(write=False)
    assert normalize_header(data) is data


@pytest.mark.parametrize(
    "parts",
    [
        (TABLES, FRAME, RESTART),
        (RESTART, TABLES, FRAME),
        (FRAME, RESTART, TABLES),
        (JFIF, FRAME, TABLES, RESTART),
        (FRAME, TABLES, COMMENT, RESTART),
        (FRAME, TABLES, RESTART, QUANTIZATION, COMMENT),
        (b"\xff\xff", FRAME, TABLES, b"\xff", RESTART),
        (JFIF, COMMENT, TABLES, b"\xff", COMMENT, RESTART, FRAME, JFIF),
    ],
    ids=range(8),
)
def test_other_orders_and_segments_become_the_same_stream(parts):
    assert normalized(*parts, SCAN) == STREAM


def test_tables_of_one_kind_keep_their_order():
    # The later of two tables with one number counts, and so does the later restart interval.
    decoy, no_restart = segment(0xFFC4, bytes([0, 1] + [0] * 15 + [0])), segment(0xFFDD, bytes(2))
    found = normalized(no_restart, decoy, TABLES, RESTART, FRAME, SCAN)
    assert found == b"\xff\xd8" + FRAME + decoy + TABLES + no_restart + RESTART + SCAN
    assert np.array_equal(imagecodecs.jpeg8_decode(found), IMAGE)


def test_bytes_after_the_first_scan_stay():
    tail = COMMENT + b"\xff\xd9junk"
    found = normalized(TABLES, FRAME, RESTART, SCAN[:-2], tail)
    assert found == STREAM[:-2] + tail


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    st.permutations([FRAME, TABLES, RESTART]),
    st.lists(st.tuples(st.integers(0, 3), st.sampled_from([JFIF, COMMENT, b"\xff"])), max_size=5),
)
def test_any_order_and_extras_in_any_place(order, extras):
    parts = [*order, b""]
    for place, extra in extras:
        parts[place] = extra + parts[place]
    assert normalized(*parts, SCAN) == STREAM


@pytest.mark.parametrize("precision", [8, 10, 12, 16])
@pytest.mark.parametrize("predictor", range(1, 8))
def test_same_pixels(noise, precision, predictor):
    image = noise(precision)
    stream = encode_lossless(image, LosslessJpeg(precision, predictor, tables_first=True))
    require_same(np.frombuffer(stream, np.uint8))


def require_same(data):
    found = normalize_header(data)
    before, info = read_stream_info(data.data), read_stream_info(found.data)
    assert not info.tables_first
    assert found is not data or not before.tables_first
    assert found.dtype == np.uint8
    assert normalize_header(found) is found
    assert np.array_equal(imagecodecs.jpeg8_decode(found), imagecodecs.jpeg8_decode(data))
    prove_complete(found.data, info)
    assert np.array_equal(read_budget(found.data, info).bits, read_budget(data.data, before).bits)


def test_real_files(shared_data):
    folders = (shared_data / "conformance").glob("jpeg_lossless_sel1to7/*.dcm")
    names = ("GH133.dcm", "OutOfBoundsOverlay.dcm")
    changed = 0
    for path in [*folders, *(shared_data / "mammograms" / name for name in names)]:
        header = pydicom.dcmread(path)
        count = int(header.get("NumberOfFrames", 1))
        stream = next(generate_frames(header.PixelData, number_of_frames=count))
        data = np.frombuffer(stream, np.uint8)
        require_same(data)
        changed += normalize_header(data) is not data
    assert changed > 1


def test_damage():
    assert reason_of(b"\xff\xd8" + TABLES + FRAME) is Reason.TRUNCATED
    assert reason_of(b"\xff\xd8" + TABLES + FRAME + b"\xff\xd9") is Reason.CORRUPT
    assert reason_of(b"\xff\xd8" + TABLES + SCAN) is Reason.CORRUPT
    assert reason_of(b"\xff\xd8" + TABLES + FRAME + FRAME + SCAN) is Reason.CORRUPT
    assert reason_of(b"\xff\xd8" + FRAME.replace(b"\xc3", b"\xc0") + SCAN) is Reason.CORRUPT
    assert reason_of(b"\x00\x00" + STREAM) is Reason.CORRUPT
    assert reason_of(b"\xff\xd8" + b"junk" + STREAM) is Reason.CORRUPT


@pytest.mark.parametrize("length", range(STREAM.index(b"\xff\xda") + 10))
def test_every_cut_of_the_header_is_noticed(length):
    assert reason_of(STREAM[:length]) is Reason.TRUNCATED
