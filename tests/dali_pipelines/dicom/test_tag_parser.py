import logging
import struct
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydicom.dataset import Dataset

from dali_pipelines.dicom import tag_parser
from dali_pipelines.dicom.encapsulation import PixelElement
from dali_pipelines.dicom.tag_parser import HeaderReader, ParsedTags, parse_tags, quiet_pydicom
from dali_pipelines.storage.byte_view import ByteView, MemoryBytes
from dali_pipelines.verdicts import Reason, RejectError

EXPLICIT, IMPLICIT, BIG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2"
PIXEL_DATA = 0x7FE00010
WANTED = ("Rows", "Modality", "ViewCodeSequence")


def parse(data: bytes, syntax: str = EXPLICIT) -> ParsedTags:
    with quiet_pydicom():
        return parse_tags(MemoryBytes(data), 0, syntax, WANTED)


def reason_of(data: bytes, syntax: str = EXPLICIT) -> Reason:
    with pytest.raises(RejectError) as caught:
        parse(data, syntax)
    return caught.value.reason


@pytest.mark.parametrize("labeled", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize("implicit", [True, False])
def test_only_wanted_tags_are_read_whatever_the_vr(
    new_dicom: Any, implicit: bool, labeled: str
) -> None:
    file = new_dicom(PatientName="DOE^JANE", PatientBirthDate="19500131")
    file.implicit = implicit
    data = file.data_set()
    parsed = parse(data, labeled)
    assert [element.keyword for element in parsed.dataset] == ["Modality", "Rows"]
    assert parsed.dataset.Rows == 4
    vr = "" if implicit else "OW"
    assert parsed.pixels == PixelElement(PIXEL_DATA, vr, len(data) - 48, 48, little=True)
    assert not parsed.cut_short


def test_big_endian_is_read(new_dicom: Any) -> None:
    file = new_dicom()
    file.big = True
    parsed = parse(file.data_set(), BIG)
    assert parsed.dataset.Rows == 4
    assert parsed.pixels is not None
    assert (parsed.pixels.length, parsed.pixels.little) == (48, False)


def test_encapsulated_and_float_pixels_are_found(new_dicom: Any) -> None:
    file = new_dicom()
    file.pixels = [b"abcd"]
    data = file.data_set()
    at = data.index(b"\xe0\x7f\x10\x00")
    assert parse(data).pixels == PixelElement(PIXEL_DATA, "OB", at + 12, 0xFFFFFFFF, little=True)
    floats = data[:at] + struct.pack("<HH2sHI", 0x7FE0, 8, b"OF", 0, 4) + bytes(4)
    found = parse(floats).pixels
    assert found is not None
    assert found.tag == 0x7FE00008


def test_without_pixels_the_end_says_whether_it_was_cut(new_dicom: Any) -> None:
    file = new_dicom()
    file.pixels = None
    data = file.data_set()
    assert (parse(data).pixels, parse(data).cut_short) == (None, False)
    assert parse(data[:-1]).cut_short
    assert parse(data + b"\x28\x00\x00\x20LO\xff\x00abc").cut_short


def test_a_cut_in_an_element_head_is_truncated(new_dicom: Any) -> None:
    data = new_dicom().data_set()
    head = data.index(b"\xe0\x7f\x10\x00")
    for end in range(head + 8, head + 12):
        assert reason_of(data[:end]) is Reason.TRUNCATED


def _below(depth: int, data: bytes) -> str:
    """What is said of the data that many calls further down, where the stack ends elsewhere."""
    if depth:
        return _below(depth - 1, data)
    with pytest.raises(RejectError) as caught:
        parse(data)
    return str(caught.value)


def test_broken_structure_is_corrupt_not_an_exception() -> None:
    deep = b"\x54\x00\x20\x02SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff" * 3000
    assert {_below(depth, deep + bytes(100)) for depth in range(9)} == {
        "E_CORRUPT: the header has sequences inside sequences without end"
    }
    assert reason_of(b"\x54\x00\x20\x02SQ\0\0\xff\xff\xff\xff") is Reason.TRUNCATED


def test_a_value_is_never_allocated_beyond_the_end() -> None:
    huge = struct.pack("<HH2sHI", 8, 0x60, b"UT", 0, 0xFFFFFFF0) + b"MG"
    parsed = parse(huge)  # Modality claims 4 GiB
    assert parsed.cut_short
    assert parsed.pixels is None


def test_an_endless_header_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tag_parser, "_BUDGET", 1 << 20)
    assert reason_of(bytes(1 << 20)) is Reason.TOO_LARGE  # 131,072 elements of no length
    nested = b"\x08\x00\x40\x11SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\0\0\0\0" * (1 << 16)
    assert reason_of(nested) is Reason.TOO_LARGE


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_a_wanted_value_has_a_limit(syntax: str) -> None:
    def element(group: int, number: int, length: int) -> bytes:
        if syntax == IMPLICIT:
            return struct.pack("<HHI", group, number, length) + b"1\\" * (length // 2)
        return struct.pack("<HH2sHI", group, number, b"UT", 0, length) + b"1\\" * (length // 2)

    for number in (0x0005, 0x0060):  # the character set, which pydicom reads by itself; Modality
        assert reason_of(element(8, number, (1 << 18) + 2), syntax) is Reason.TOO_LARGE
        assert parse(element(8, number, 1 << 18), syntax).pixels is None
    assert not parse(element(8, 0x0070, 1 << 20), syntax).cut_short  # not wanted, not read


def test_a_large_overlay_is_no_such_value() -> None:
    overlay = struct.pack("<HH2sHI", 0x6000, 0x3000, b"OW", 0, 3 << 20) + bytes(3 << 20)
    with quiet_pydicom():
        found = parse_tags(MemoryBytes(overlay), 0, EXPLICIT, (0x60003000,))
    assert len(found.dataset) == 1
    huge = struct.pack("<HH2sHI", 0x6000, 0x3000, b"OW", 0, 17 << 20) + bytes(17 << 20)
    with pytest.raises(RejectError) as caught, quiet_pydicom():
        parse_tags(MemoryBytes(huge), 0, EXPLICIT, (0x60003000,))
    assert caught.value.reason is Reason.TOO_LARGE


def test_a_wanted_sequence_without_length_has_a_limit() -> None:
    head, item = b"\x54\x00\x20\x02SQ\0\0\xff\xff\xff\xff", b"\xfe\xff\x00\xe0\0\0\0\0"
    end = b"\xfe\xff\xdd\xe0\0\0\0\0"
    assert len(parse(head + item * 1000 + end).dataset.ViewCodeSequence) == 1000
    assert reason_of(head + item * 1001 + end) is Reason.TOO_LARGE
    unwanted = head.replace(b"\x54\x00\x20\x02", b"\x08\x00\x40\x11")
    assert len(parse(unwanted + item * 1001 + end + head + item * 1000 + end).dataset) == 1


def test_an_error_of_the_disk_is_not_a_damaged_file() -> None:
    class Failing(ByteView):
        """A sequence whose second block cannot be read; pydicom makes another error of that."""

        def _read_into(self, offset: int, out: memoryview) -> int:
            if offset:
                raise RejectError(Reason.IO, "disk")
            head = b"\x54\x00\x20\x02SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
            out[:] = (head + b"\x08\x00\x00\x01SH\0\0" * 8192)[: len(out)]
            return len(out)

    with pytest.raises(RejectError) as caught, quiet_pydicom():
        parse_tags(Failing(1 << 17), 0, EXPLICIT, WANTED)
    assert caught.value.reason is Reason.IO


def test_a_failure_that_pydicom_swallows_is_still_a_failure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def swallow(source: HeaderReader, *_: Any, **__: Any) -> Dataset:
        source.failure = RejectError(Reason.IO, "disk")
        return Dataset()

    monkeypatch.setattr(tag_parser, "read_dataset", swallow)
    assert reason_of(bytes(99)) is Reason.IO


def test_a_reader_reads_like_a_file() -> None:
    data = bytes(range(256)) * 1024
    reader = HeaderReader(MemoryBytes(data), 5)
    assert (reader.tell(), reader.read(3)) == (5, data[5:8])
    assert reader.seek(-3, 1) == 5
    assert reader.read(100_000) == data[5:100_005]
    assert reader.seek(7) == 7
    assert reader.read() == data[7:]
    assert reader.at_end
    assert not reader.cut_short
    assert reader.read(8) == b""
    assert not reader.cut_short
    reader.seek(-4, 1)
    assert reader.read(8) == data[-4:]
    assert reader.cut_short


def test_pydicom_is_silent_in_every_thread_and_restored() -> None:
    logger = logging.getLogger("pydicom")
    records: list[logging.LogRecord] = []
    handler = logging.Handler()
    handler.emit = records.append
    logger.addHandler(handler)

    def speak(_: int) -> None:
        with quiet_pydicom():
            warnings.warn("value", stacklevel=1)  # an error under the tests' own filter
            logger.warning("value")

    try:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(speak, range(200)))
        assert records == []
        logger.warning("outside")
        assert len(records) == 1
        with pytest.raises(UserWarning):
            warnings.warn("outside", stacklevel=1)
    finally:
        logger.removeHandler(handler)
