"""split_frames: each frame's bytes, whatever the offset tables say; no count may lie."""

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset
from pydicom.dataelem import RawDataElement
from pydicom.tag import Tag

from dali_pipelines.dicom.encapsulation import UNDEFINED_LENGTH, Payload, PixelElement
from dali_pipelines.dicom.frame_split import split_frames
from dali_pipelines.phantom.encode import encode_frame
from dali_pipelines.records import ImageRecord
from dali_pipelines.storage.byte_view import MemoryBytes
from dali_pipelines.verdicts import Flag, Reason, RejectError
from tests.dicom_file import DicomFile
from tests.frame_stack import basic_table, extended_table, pieces, stack

CODED = {
    syntax: [encode_frame(frame, 12, syntax) for frame in stack()]
    for syntax in ("rle", "j2k", "j2k_boxed", "htj2k", "jpegls", "jpeg_sv1")
}
PARTS = ("j2k", "j2k_boxed", "htj2k", "jpegls", "jpeg_sv1")


def split(
    parts: list[bytes], count: int, table: bytes = b"", extended: dict[str, bytes] | None = None
) -> tuple[tuple[Payload, ...], list[bytes]]:
    """The payloads of encapsulated fragments, and their bytes."""
    file = DicomFile()
    file.pixels, file.table = parts, table
    data = file.pixel_element()
    element = PixelElement(0x7FE00010, "OB", 12, UNDEFINED_LENGTH, little=True)
    dataset = Dataset()
    for name, value in (extended or {}).items():
        tag = Tag(name)
        dataset[tag] = RawDataElement(tag, "OV", len(value), value, 0, False, True)
    found = split_frames(MemoryBytes(data), element, count, 0, dataset)
    return found, [b"".join(data[at : at + n] for at, n in p.fragments) for p in found]


def reason_of(*args: Any) -> Reason:
    with pytest.raises(RejectError) as caught:
        split(*args)
    return caught.value.reason


def even(data: bytes) -> bytes:
    return data + b"\0" * (len(data) % 2)


@pytest.mark.parametrize("table", ["empty", "basic", "extended"])
@pytest.mark.parametrize("syntax", CODED)
def test_one_fragment_a_frame(syntax: str, table: str) -> None:
    frames = [[data] for data in CODED[syntax]]
    basic = basic_table(frames) if table == "basic" else b""
    extended = extended_table(frames) if table == "extended" else None
    payloads, found = split(CODED[syntax], 3, basic, extended)
    assert found == list(map(even, CODED[syntax]))
    assert [payload.flags for payload in payloads] == [()] * 3
    assert all(payload.encapsulated for payload in payloads)


@pytest.mark.parametrize("table", [True, False])
@pytest.mark.parametrize("syntax", PARTS)
def test_several_fragments_a_frame(syntax: str, table: bool) -> None:
    frames = [pieces(data, k + 2) for k, data in enumerate(CODED[syntax])]
    parts = [part for frame in frames for part in frame]
    payloads, found = split(parts, 3, basic_table(frames) if table else b"")
    assert found == list(map(even, CODED[syntax]))
    assert [len(payload.fragments) for payload in payloads] == list(map(len, frames))
    assert not any(payload.flags for payload in payloads)


CODESTREAMS = (b"\xff", b"\1", b"\2")  # as which the first item would be refused
NO_CODESTREAM = st.binary(max_size=24).filter(lambda table: not table.startswith(CODESTREAMS))


@given(st.lists(st.integers(1, 5), min_size=2, max_size=3), NO_CODESTREAM, st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_no_table_is_believed_against_the_codestreams(
    counts: list[int], table: bytes, data: st.DataObject
) -> None:
    syntax = data.draw(st.sampled_from(PARTS))
    frames = [pieces(coded, n) for coded, n in zip(CODED[syntax], counts, strict=False)]
    parts = [part for frame in frames for part in frame]
    extended = {"ExtendedOffsetTable": table, "ExtendedOffsetTableLengths": table}
    payloads, found = split(parts, len(frames), table, extended)
    assert found == [even(coded) for coded in CODED[syntax][: len(frames)]]
    flagged = {Flag.OFFSET_TABLE in payload.flags for payload in payloads}
    assert flagged == {bool(table)}


@pytest.mark.parametrize("fragments", [1, 3])
@pytest.mark.parametrize(
    "wrong",
    [
        lambda right: bytes(12),
        lambda right: struct.pack("<3I", 8, *struct.unpack("<3I", right)[1:]),
        lambda right: struct.pack("<3I", *(value + 2 for value in struct.unpack("<3I", right))),
        lambda right: right[:4] + right[8:] + right[4:8],
        lambda right: right[:8],
        lambda right: right + right[:4],
        lambda right: right[:10],
        lambda right: b"\xff" * 12,
    ],
)
def test_a_wrong_table_is_flagged(wrong: Callable[[bytes], bytes], fragments: int) -> None:
    frames = [pieces(data, fragments) for data in CODED["j2k"]]
    parts = [part for frame in frames for part in frame]
    payloads, found = split(parts, 3, wrong(basic_table(frames)))
    assert found == list(map(even, CODED["j2k"]))
    assert {payload.flags for payload in payloads} == {(Flag.OFFSET_TABLE,)}


@pytest.mark.parametrize("name", ["ExtendedOffsetTable", "ExtendedOffsetTableLengths"])
@pytest.mark.parametrize("value", [b"\xff" * 24, bytes(24), bytes(7), b"", struct.pack("<Q", 0)])
def test_a_wrong_extended_table_is_flagged(name: str, value: bytes) -> None:
    frames = [[data] for data in CODED["j2k"]]
    payloads, found = split(CODED["j2k"], 3, b"", {**extended_table(frames), name: value})
    assert found == list(map(even, CODED["j2k"]))
    wanted = () if name == "ExtendedOffsetTable" and not value else (Flag.OFFSET_TABLE,)
    assert {payload.flags for payload in payloads} == {wanted}


def test_an_extended_table_wants_one_fragment_a_frame() -> None:
    frames = [pieces(data, 2) for data in CODED["j2k"]]
    parts = [part for frame in frames for part in frame]
    payloads, found = split(parts, 3, b"", extended_table(frames))
    assert found == list(map(even, CODED["j2k"]))
    assert {payload.flags for payload in payloads} == {(Flag.OFFSET_TABLE,)}


def test_the_table_says_which_frame_has_lost_its_beginning() -> None:
    frames = [pieces(data, 2) for data in CODED["jpeg_sv1"]]
    frames[1][0] = bytes(len(frames[1][0]))
    parts = [part for frame in frames for part in frame]
    _, found = split(parts, 3, basic_table(frames))
    assert found[0] == even(CODED["jpeg_sv1"][0])
    assert found[2] == even(CODED["jpeg_sv1"][2])
    assert reason_of(parts, 3) is Reason.FRAMES  # without it nobody knows
    whole = [CODED["jpeg_sv1"][0], bytes(40), CODED["jpeg_sv1"][2]]
    assert split(whole, 3)[1] == list(map(even, whole))  # one fragment each


@pytest.mark.parametrize("syntax", CODED)
@pytest.mark.parametrize("table", [True, False])
@pytest.mark.parametrize("count", [2, 4, 9_999, 100_000, 2**31 - 1])
def test_a_number_of_frames_that_lies_is_refused(syntax: str, table: bool, count: int) -> None:
    right = basic_table([[data] for data in CODED[syntax]]) if table else b""
    assert reason_of(CODED[syntax], count, right) is Reason.FRAMES


def test_rle_has_one_fragment_a_frame() -> None:
    frames = [pieces(data, 2) for data in CODED["rle"]]
    parts = [part for frame in frames for part in frame]
    assert reason_of(parts, 3, basic_table(frames)) is Reason.FRAMES


@pytest.mark.parametrize("delimiter", [True, False])
def test_a_cut_file_is_truncated_whatever_frame_is_wanted(
    delimiter: bool, new_dicom: type[DicomFile]
) -> None:
    file = new_dicom()
    file.pixels, file.delimiter = CODED["j2k"], delimiter
    data = file.pixel_element()
    element = PixelElement(0x7FE00010, "OB", 12, UNDEFINED_LENGTH, little=True)
    assert len(split_frames(MemoryBytes(data), element, 3, 0, Dataset())) == 3
    with pytest.raises(RejectError) as caught:
        split_frames(MemoryBytes(data[:-20]), element, 3, 0, Dataset())
    assert caught.value.reason is Reason.TRUNCATED


@pytest.mark.parametrize("left", range(1, 5))
def test_a_file_that_ends_between_fragments_is_truncated(
    new_dicom: type[DicomFile], left: int
) -> None:
    parts = [part for data in CODED["jpeg_sv1"] for part in pieces(data, 2)]
    file = new_dicom()
    file.pixels, file.delimiter = parts[:left], False
    element = PixelElement(0x7FE00010, "OB", 12, UNDEFINED_LENGTH, little=True)
    with pytest.raises(RejectError) as caught:
        split_frames(MemoryBytes(file.pixel_element()), element, 3, 0, Dataset())
    assert caught.value.reason is Reason.TRUNCATED


def native(length: int, there: int, count: int, frame_bytes: int) -> tuple[Payload, ...]:
    element = PixelElement(0x7FE00010, "OW", 10, length, little=True)
    return split_frames(MemoryBytes(bytes(10 + there)), element, count, frame_bytes, Dataset())


def test_native_frames_follow_each_other() -> None:
    found = native(72, 72, 3, 24)
    assert [payload.fragments for payload in found] == [((10 + 24 * k, 24),) for k in range(3)]
    assert not any(payload.flags or payload.encapsulated for payload in found)
    odd = native(16, 16, 3, 5)  # 15 bytes and one of padding
    assert [payload.fragments[0] for payload in odd] == [(10, 6), (15, 6), (20, 6)]
    assert not odd[0].flags


def test_native_lengths_are_held_to_the_number_of_frames() -> None:
    assert native(80, 80, 3, 24)[0].flags == (Flag.EXCESS_BYTES,)
    assert native(80, 72, 3, 24)[2].flags == (Flag.LENGTH_BEYOND_EOF, Flag.EXCESS_BYTES)
    for length, there, count, reason in (
        (72, 72, 4, Reason.FRAMES),
        (72, 72, 2, Reason.FRAMES),
        (72, 72, 100_000, Reason.FRAMES),
        (72, 60, 3, Reason.TRUNCATED),
        (0, 0, 3, Reason.NO_PIXELS),
    ):
        with pytest.raises(RejectError) as caught:
            native(length, there, count, 24)
        assert caught.value.reason is reason, (length, there, count)


@pytest.mark.parametrize("frames", ["first", "middle", "all", "mip"])
def test_one_frame_with_more_bytes_stays_one_image(
    new_dicom: Any, read_dicom: Callable[..., ImageRecord], frames: str
) -> None:
    for count in (None, 1):
        file = new_dicom(NumberOfFrames=count)
        file.pixels = bytes(np.arange(96, dtype=np.uint8))
        record = read_dicom(file, frames=frames)
        assert record.flags == ("excess_bytes",)
        assert record.location.fragments[0][1] == 48
        assert (record.tags.number_of_frames, record.tags.frame) == (1, None)
