import struct
from typing import Any

import pytest

from dali_pipelines.dicom.file_meta import FileMeta, read_file_meta
from dali_pipelines.storage.byte_view import MemoryBytes
from dali_pipelines.verdicts import Reason, RejectError

JUNK = bytes(128) + b"DICM"


def read(data: bytes) -> FileMeta:
    return read_file_meta(MemoryBytes(data))


def reason_of(data: bytes) -> Reason:
    with pytest.raises(RejectError) as caught:
        read(data)
    return caught.value.reason


def test_the_uids_and_the_end_of_group_2(new_dicom: Any) -> None:
    file = new_dicom()
    meta = read(file.encode())
    assert meta == FileMeta(
        "1.2.840.10008.5.1.4.1.1.1.2", "1.2.3.4", "1.2.840.10008.1.2.1", 132 + len(file.meta())
    )
    assert file.encode()[meta.end :] == file.data_set()


def test_other_elements_are_stepped_over() -> None:
    version = struct.pack("<HH2sHI", 2, 1, b"OB", 0, 2) + b"\0\1"
    private = struct.pack("<HH2sHI", 2, 0x102, b"UN", 0, 3) + b"abc"
    syntax = struct.pack("<HH2sH", 2, 0x10, b"UI", 4) + b"1.2\0"
    data = JUNK + version + syntax + private + b"\x08\x00\x05\x00"
    assert read(data) == FileMeta("", "", "1.2", len(data) - 4)


def test_implicit_vr_in_group_2_is_read_too() -> None:
    data = JUNK + struct.pack("<HHI", 2, 0x10, 4) + b"1.2\0" + struct.pack("<HHI", 8, 5, 0)
    assert read(data).transfer_syntax_uid == "1.2"


def test_a_data_set_may_begin_at_once() -> None:
    assert read(JUNK + struct.pack("<HHI", 8, 5, 0)) == FileMeta("", "", "", 132)


def test_what_is_empty_or_no_dicom_says_so(new_dicom: Any) -> None:
    whole = new_dicom().encode()
    assert reason_of(b"") is Reason.EMPTY
    for data in (whole[:1], whole[:64], whole[:131], b"hello\n" * 99, b"\x89PNG" + bytes(500)):
        assert reason_of(data) is Reason.NOT_DICOM


def test_any_cut_in_the_meta_group_is_truncated(new_dicom: Any) -> None:
    file = new_dicom()
    for cut in range(132, 132 + len(file.meta()) + 1):
        assert reason_of(file.encode()[:cut]) is Reason.TRUNCATED


def test_random_bytes_after_the_letters_are_corrupt() -> None:
    for data in (b"\xff" * 500, b"hello, world, this is text"):
        assert reason_of(JUNK + data) is Reason.CORRUPT
    assert reason_of(JUNK + struct.pack("<HH2sH", 2, 0x50, b"SH", 0) * 300) is Reason.CORRUPT
    assert reason_of(JUNK + struct.pack("<HH2sHI", 2, 1, b"OB", 0, 0xFFFFFFF0)) is Reason.TRUNCATED
