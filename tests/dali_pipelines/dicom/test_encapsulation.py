import struct
from typing import Any

import pydicom
import pytest
from pydicom.encaps import encapsulate, generate_frames

from dali_pipelines.dicom.encapsulation import UNDEFINED_LENGTH, Payload, PixelElement, find_payload
from dali_pipelines.storage.byte_view import MemoryBytes
from dali_pipelines.verdicts import Flag, Reason, RejectError

ITEM, END = b"\xfe\xff\x00\xe0", b"\xfe\xff\xdd\xe0\0\0\0\0"
FRAME = bytes(range(1, 251)) * 3


def item(data: bytes, length: int | None = None) -> bytes:
    return ITEM + struct.pack("<I", len(data) if length is None else length) + data


def walk(data: bytes, length: int = UNDEFINED_LENGTH, start: int = 0) -> Payload:
    element = PixelElement(0x7FE00010, "OB", start, length, little=True)
    return find_payload(MemoryBytes(data), element)


def join(data: bytes, payload: Payload) -> bytes:
    return b"".join(data[offset : offset + length] for offset, length in payload.fragments)


def reject_of(data: bytes, length: int = UNDEFINED_LENGTH) -> RejectError:
    with pytest.raises(RejectError) as caught:
        walk(data, length)
    return caught.value


@pytest.mark.parametrize("fragments", [1, 2, 7])
@pytest.mark.parametrize("table", [True, False])
def test_fragments_are_those_of_pydicom(fragments: int, table: bool) -> None:
    data = encapsulate([FRAME], fragments_per_frame=fragments, has_bot=table) + END
    payload = walk(data)
    assert len(payload.fragments) == fragments
    assert payload.encapsulated
    assert payload.flags == ()
    assert join(data, payload) == next(generate_frames(data, number_of_frames=1)) == FRAME
    assert payload.size == len(FRAME)


@pytest.mark.parametrize(
    "table", [b"", bytes(4), b"\xff" * 4, struct.pack("<2I", 0, 8), b"abc", bytes(4000)]
)
def test_the_offset_table_is_not_believed(table: bytes) -> None:
    data = item(table) + item(FRAME[:400]) + item(FRAME[400:]) + END
    assert join(data, walk(data)) == FRAME


def test_a_missing_delimiter_is_flagged_where_all_fragments_are_whole() -> None:
    data = item(b"") + item(FRAME) + END
    for cut in range(1, 9):
        payload = walk(data[:-cut])
        assert payload.flags == (Flag.NO_DELIMITER,)
        assert join(data, payload) == FRAME
    for cut in range(9, len(data)):
        assert reject_of(data[:-cut]).reason is Reason.TRUNCATED


def test_a_fragment_past_the_end_names_both_numbers() -> None:
    error = reject_of(item(b"") + item(FRAME, length=0xFFFFFF00))
    assert error.reason is Reason.TRUNCATED
    assert "has 4294967040 bytes, 750 are left" in error.detail
    assert reject_of(item(b"", length=1 << 30)).reason is Reason.TRUNCATED


@pytest.mark.parametrize(
    "data",
    [
        b"\xe0\x7f\x10\x00" + bytes(20),
        item(b"") + item(FRAME) + b"\xfc\xff\xfc\xff" + bytes(8),
        item(b"") + b"\xfe\xff\x0d\xe0\0\0\0\0",
        item(b"") + ITEM + b"\xff" * 4 + END,
        item(b"") * ((1 << 16) + 2),
    ],
)
def test_odd_tags_and_lengths_are_corrupt(data: bytes) -> None:
    assert reject_of(data).reason is Reason.CORRUPT


def test_no_fragments_are_no_pixels() -> None:
    for data in (item(b"") + END, item(b"") + item(b"") * 3 + END, END):
        assert reject_of(data).reason is Reason.NO_PIXELS
    assert reject_of(FRAME, length=0).reason is Reason.NO_PIXELS


def test_native_data_are_one_piece() -> None:
    data = b"head" + FRAME
    assert walk(data, 500, 4) == Payload(((4, 500),), encapsulated=False)
    beyond = walk(data, 751, 4)
    assert (beyond.fragments, beyond.flags) == (((4, 750),), (Flag.LENGTH_BEYOND_EOF,))
    assert walk(data, 9, 2000).fragments == ((2000, 0),)


def test_real_fragments_are_those_of_pydicom(shared_data: Any) -> None:
    path = shared_data / "mammograms/MG1_J2KI.dcm"
    data = path.read_bytes()
    start = data.index(b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff") + 12
    payload = walk(data, start=start)
    assert len(payload.fragments) == 41
    whole = pydicom.dcmread(path)
    assert join(data, payload) == next(generate_frames(whole.PixelData, number_of_frames=1))


def test_a_missing_byte_of_padding_is_flagged_where_the_stream_has_its_end() -> None:
    stream = b"\xff\xd8 odd \xff\xd9"
    data = item(b"") + item(stream + b"\0")[:-1]
    payload = walk(data)
    assert join(data, payload) == stream
    assert set(payload.flags) == {Flag.NO_DELIMITER, Flag.LENGTH_BEYOND_EOF}
    for cut in (data[:-1], item(b"") + item(b"RLE has no end\0\0")[:-1]):
        assert reject_of(cut).reason is Reason.TRUNCATED
