"""Facts, end and completeness of streams that imagecodecs and Pillow encode."""

import io
import struct
from collections.abc import Callable
from contextlib import suppress

import imagecodecs
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

from dali_pipelines.codestream.stream import bare_codestream, prove_complete, read_stream_info
from dali_pipelines.records import StreamInfo
from dali_pipelines.verdicts import Flag, Reason, RejectError

HEIGHT, WIDTH = 61, 83
RAMP = np.add.outer(np.arange(HEIGHT) * 20, np.arange(WIDTH) * 30)
VALUES = ((RAMP + np.random.default_rng(5).integers(0, 300, RAMP.shape)) & 4095).astype(np.uint16)
BYTES = (VALUES >> 4).astype(np.uint8)
SHARES = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.999, 0.9999)


def pillow_jpeg2000(**options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(VALUES).save(file, "JPEG2000", **options)
    return file.getvalue()


STREAMS: dict[str, tuple[bytes, StreamInfo]] = {
    "j2k": (
        imagecodecs.jpeg2k_encode(VALUES, codecformat="j2k", bitspersample=12, reversible=True),
        StreamInfo("j2k", HEIGHT, WIDTH, 1, 12, signed=False),
    ),
    "j2k signed": (
        imagecodecs.jpeg2k_encode(VALUES.astype(np.int16), codecformat="j2k", reversible=True),
        StreamInfo("j2k", HEIGHT, WIDTH, 1, 16, signed=True),
    ),
    "j2k lossy": (
        imagecodecs.jpeg2k_encode(VALUES, level=40, codecformat="j2k", reversible=False),
        StreamInfo("j2k", HEIGHT, WIDTH, 1, 16, signed=False, lossy=True),
    ),
    "jp2": (
        imagecodecs.jpeg2k_encode(VALUES, codecformat="jp2", reversible=True),
        StreamInfo("j2k", HEIGHT, WIDTH, 1, 16, signed=False, boxed=True),
    ),
    "j2k tiles": (
        pillow_jpeg2000(no_jp2=True, tile_size=(32, 32)),
        StreamInfo("j2k", HEIGHT, WIDTH, 1, 16, signed=False),
    ),
    "htj2k": (
        imagecodecs.htj2k_encode(VALUES, reversible=True),
        StreamInfo("htj2k", HEIGHT, WIDTH, 1, 16, signed=False),
    ),
    "htj2k tiles": (
        imagecodecs.htj2k_encode(VALUES, reversible=True, tile=(32, 32)),
        StreamInfo("htj2k", HEIGHT, WIDTH, 1, 16, signed=False),
    ),
    "jpegls": (
        imagecodecs.jpegls_encode(VALUES),
        StreamInfo("jpegls", HEIGHT, WIDTH, 1, 16, signed=False),
    ),
    "jpegls lossy": (
        imagecodecs.jpegls_encode(BYTES, level=2),
        StreamInfo("jpegls", HEIGHT, WIDTH, 1, 8, signed=False, lossy=True),
    ),
    "jpeg lossless": (
        imagecodecs.jpeg8_encode(VALUES, lossless=True, predictor=6, bitspersample=12),
        StreamInfo("jpeg_lossless", HEIGHT, WIDTH, 1, 12, signed=False, predictor=6),
    ),
    "jpeg dct": (
        imagecodecs.jpeg8_encode(BYTES, level=90),
        StreamInfo("jpeg_dct", HEIGHT, WIDTH, 1, 8, signed=False, lossy=True),
    ),
    "jpeg dct 12": (
        imagecodecs.jpeg8_encode(VALUES, level=90, bitspersample=12),
        StreamInfo("jpeg_dct", HEIGHT, WIDTH, 1, 12, signed=False, lossy=True),
    ),
}
BARE = {name: stream for name, (stream, info) in STREAMS.items() if not info.boxed}
each_stream = pytest.mark.parametrize("name", STREAMS)


def flags_of(data: bytes) -> tuple[Flag, ...]:
    return prove_complete(memoryview(data), read_stream_info(data))


@each_stream
def test_facts(name: str) -> None:
    stream, info = STREAMS[name]
    assert read_stream_info(stream) == info
    assert read_stream_info(memoryview(stream)) == info


@each_stream
def test_complete(name: str) -> None:
    stream, info = STREAMS[name]
    flags = {Flag.BOXED} if info.boxed else set()
    if info.kind == "jpeg_dct":
        flags.add(Flag.UNPROVEN)
    assert set(flags_of(stream)) == flags
    assert set(prove_complete(bare_codestream(memoryview(stream), info), info)) == flags


@pytest.mark.parametrize("tail", [b"", b"\0", b"\0" * 9, b"\xff\xd9 garbage \xff\xd9"])
@pytest.mark.parametrize("name", BARE)
def test_bytes_after_the_end(name: str, tail: bytes) -> None:
    stream, info = STREAMS[name]
    data = memoryview(stream + tail)
    bare = bare_codestream(data, info)
    assert bare == stream
    assert bare.obj is data.obj  # a view, not a copy
    assert (Flag.TRAILING_BYTES in prove_complete(data, info)) == (len(tail) > 1)
    assert Flag.TRAILING_BYTES not in prove_complete(bare, info)


def test_bytes_around_a_boxed_stream() -> None:
    stream, info = STREAMS["jp2"]
    bare = bytes(bare_codestream(memoryview(stream), info))
    assert bare.startswith(b"\xff\x4f\xff\x51")
    assert bare.endswith(b"\xff\xd9")
    assert np.array_equal(imagecodecs.jpeg2k_decode(bare), VALUES)
    later_box = struct.pack(">I4s", 12, b"free") + b"\xff\xd9\xff\xd9"
    assert bare_codestream(memoryview(stream + later_box), info) == bare
    assert flags_of(stream + later_box) == (Flag.BOXED,)
    for tail in (b"\xaa" * 500, bytes(500), later_box + b"\xff\xd9"):
        assert flags_of(stream + tail) == (Flag.BOXED, Flag.TRAILING_BYTES)
        assert bare_codestream(memoryview(stream + tail), info) == bare
    open_box = stream.replace(struct.pack(">I4s", len(bare) + 8, b"jp2c"), b"\0\0\0\0jp2c")
    assert open_box != stream
    assert flags_of(open_box + b"\0") == (Flag.BOXED,)
    assert flags_of(open_box + b"\0\0") == (Flag.BOXED, Flag.TRAILING_BYTES)
    short_box = stream.replace(
        struct.pack(">I4s", len(bare) + 8, b"jp2c"), struct.pack(">I4s", len(bare) + 7, b"jp2c")
    )
    with pytest.raises(RejectError) as caught:
        flags_of(short_box)
    assert caught.value.reason is Reason.TRUNCATED


@pytest.mark.parametrize("share", SHARES)
@each_stream
def test_cut(name: str, share: float) -> None:
    stream, info = STREAMS[name]
    cut = memoryview(stream)[: min(int(len(stream) * share), len(stream) - 1)]
    for check in (prove_complete, bare_codestream):
        with pytest.raises(RejectError) as caught:
            check(cut, info)
        assert caught.value.reason is Reason.TRUNCATED
    with suppress(RejectError):
        assert read_stream_info(cut) == info  # right or refused, never other facts


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize("name", ["j2k", "j2k tiles", "htj2k", "htj2k tiles"])
def test_cut_and_closed_with_eoc(name: str, share: float) -> None:
    stream, info = STREAMS[name]
    closed = stream[: min(int(len(stream) * share), len(stream) - 3)] + b"\xff\xd9"
    with pytest.raises(RejectError):
        prove_complete(memoryview(closed), info)


@pytest.mark.parametrize("name", ["j2k tiles", "htj2k tiles"])
def test_cut_at_a_tile_boundary_and_closed_with_eoc(name: str) -> None:
    stream, info = STREAMS[name]
    at, parts = stream.index(b"\xff\x90\x00\x0a"), 0
    while stream[at : at + 2] == b"\xff\x90":
        with pytest.raises(RejectError) as caught:
            prove_complete(memoryview(stream[:at] + b"\xff\xd9"), info)
        assert caught.value.reason is Reason.TRUNCATED
        at, parts = at + int.from_bytes(stream[at + 6 : at + 10], "big"), parts + 1
    assert parts == 6  # 2 x 3 tiles of 32 x 32
    assert stream[at:] == b"\xff\xd9"


@pytest.mark.parametrize("kind", ["raw", "rle"])
def test_kinds_without_end_marks_pass(kind: str) -> None:
    data = memoryview(bytes(100))
    info = StreamInfo(kind, 5, 10, 1, 16, signed=False)  # type: ignore[arg-type]
    assert bare_codestream(data, info) == data
    assert prove_complete(data, info) == ()


@pytest.mark.parametrize(
    "data",
    [b"", b"\xff", b"\xff\x4f", b"\x89PNG\r\n\x1a\n", b"DICM", bytes(64), STREAMS["jp2"][0][:12]],
)
def test_no_codestream(data: bytes) -> None:
    with pytest.raises(RejectError) as caught:
        read_stream_info(data)
    assert caught.value.reason in {Reason.CORRUPT, Reason.TRUNCATED}


def test_jpeg_in_jp2_boxes_is_refused() -> None:
    stream, info = STREAMS["jp2"]
    bare = bytes(bare_codestream(memoryview(stream), info))
    with pytest.raises(RejectError) as caught:
        read_stream_info(stream.replace(bare, STREAMS["jpeg dct"][0]))
    assert caught.value.reason is Reason.CORRUPT


def test_stream_of_another_kind_than_told() -> None:
    for name, told in (("j2k", "jpegls"), ("jpegls", "j2k"), ("jpeg dct", "htj2k")):
        with pytest.raises(RejectError) as caught:
            prove_complete(memoryview(STREAMS[name][0]), STREAMS[told][1])
        assert caught.value.reason is Reason.CORRUPT


def run_all(data: bytes) -> None:
    """All three functions; anything but RejectError comes through."""
    with suppress(RejectError):
        info = read_stream_info(data)
        assert 1 <= info.precision <= 16
        assert min(info.height, info.width, info.components) > 0
        bare = bare_codestream(memoryview(data), info)
        assert set(prove_complete(bare, info)) <= {Flag.BOXED, Flag.UNPROVEN}
        assert prove_complete(memoryview(data), info) is not None
    for _, info in (STREAMS["j2k"], STREAMS["jpeg dct"]):
        with suppress(RejectError):
            prove_complete(memoryview(data), info)


fuzz: Callable[..., Callable[..., None]] = settings(
    max_examples=250, deadline=None, derandomize=True, database=None
)


@fuzz
@given(st.data())
def test_mutations_raise_nothing_but_rejects(data: st.DataObject) -> None:
    mutant = bytearray(STREAMS[data.draw(st.sampled_from(sorted(STREAMS)))][0])
    header = st.integers(0, min(150, len(mutant) - 1))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(header | st.integers(0, len(mutant) - 1))
        piece = data.draw(st.binary(max_size=4) | st.sampled_from([b"\xff\xd9", b"\xff\x90"]))
        mutant[at : at + data.draw(st.sampled_from([0, 1, 2, 4, len(piece)]))] = piece
    run_all(bytes(mutant))


@fuzz
@given(st.sampled_from(sorted(BARE)), st.integers(2, 60), st.binary(max_size=80))
@example("j2k", 2, b"")
def test_invented_tails_raise_nothing_but_rejects(name: str, keep: int, tail: bytes) -> None:
    run_all(BARE[name][:keep] + tail)
    run_all(STREAMS["jp2"][0][: keep + 10] + tail)
