import hashlib
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dali_pipelines.dicom.image import ReadOptions, read_image
from dali_pipelines.records import ImageRecord
from dali_pipelines.storage.archive import Source
from dali_pipelines.verdicts import Reason, RejectError

Read = Callable[..., ImageRecord]
DEFLATED = "1.2.840.10008.1.2.1.99"
KEY = b"key"


def deflated(file: Any) -> bytes:
    file.syntax = DEFLATED
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(file.data_set()) + packer.flush()
    return bytes(128) + b"DICM" + file.meta() + packed + b"\0" * (len(packed) % 2)


def reject_of(path: Path, member: str = "", **options: Any) -> RejectError:
    with pytest.raises(RejectError) as caught:
        read_image(Source(str(path), member), KEY, ReadOptions(**options))
    return caught.value


def test_a_location_is_bytes_of_the_file(new_dicom: Any, tmp_path: Path) -> None:
    path = new_dicom().write(tmp_path / "a.dcm")
    record = read_image(Source(str(path)), KEY, ReadOptions())
    location, state = record.location, path.stat()
    assert (location.path, location.member, location.storage) == (str(path), "", "range")
    assert (location.file_size, location.mtime_ns) == (state.st_size, state.st_mtime_ns)
    (offset, length) = location.fragments[0]
    assert path.read_bytes()[offset : offset + length] == bytes(range(48))
    assert record.sha256 == hashlib.sha256(bytes(range(48))).hexdigest()


def test_the_hash_is_of_the_bare_codestream(new_dicom: Any, read_dicom: Read) -> None:
    from imagecodecs import jpeg2k_encode
    from numpy import arange, uint16

    stream = bytes(
        jpeg2k_encode(arange(24, dtype=uint16).reshape(4, 6), level=0, codecformat="j2k")
    )
    bare = hashlib.sha256(stream).hexdigest()
    stream += b"\0" * (len(stream) % 2)
    file = new_dicom(BitsStored=16, HighBit=15)
    file.syntax, file.table = "1.2.840.10008.1.2.4.90", b"\xff" * 8
    file.pixels = [stream[:50], stream[50:52], b"", stream[52:]]
    record = read_dicom(file)
    assert [length for _, length in record.location.fragments] == [50, 2, len(stream) - 52]
    assert record.sha256 == bare
    assert read_dicom(file, hash=False).location.fragments == record.location.fragments
    file.pixels = [stream[:-10]]
    with pytest.raises(RejectError) as caught:
        read_dicom(file)
    assert caught.value.reason is Reason.TRUNCATED
    assert read_dicom(file, hash=False).sha256 == ""  # only the head was looked at
    box = bytes.fromhex("0000000C6A5020200D0A870A") + bytes(4) + b"jp2c"  # up to the end
    for odd, flag in ((stream + bytes(20), "trailing_bytes"), (box + stream, "jp2_box")):
        file.pixels = [odd]
        assert (read_dicom(file).flags, read_dicom(file).sha256) == ((flag,), bare)


def test_zip_members_are_ranges_or_unpacked(new_dicom: Any, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, method in (("stored", 0), ("../packed", 8)):
            data = new_dicom(PatientID=name).encode()
            archive.writestr(zipfile.ZipInfo(name), data, method)
        archive.writestr(zipfile.ZipInfo("readme.txt"), "hello")
    stored, packed = (
        read_image(Source(str(path), name), KEY, ReadOptions()) for name in ("stored", "../packed")
    )
    assert (stored.location.storage, packed.location.storage) == ("range", "member")
    assert packed.location.member == "../packed"
    ((offset, length),) = stored.location.fragments
    assert path.read_bytes()[offset : offset + length] == bytes(range(48))
    ((offset, length),) = packed.location.fragments
    assert new_dicom(PatientID="../packed").encode()[offset : offset + length] == bytes(range(48))
    assert stored.location.file_size == packed.location.file_size == path.stat().st_size
    assert stored.sha256 == packed.sha256
    assert reject_of(path, "readme.txt").reason is Reason.NOT_DICOM
    assert reject_of(path, "../packed", max_inflated=100).reason is Reason.TOO_LARGE


def test_a_deflated_data_set_counts_from_its_own_start(new_dicom: Any, tmp_path: Path) -> None:
    file = new_dicom()
    (tmp_path / "a").write_bytes(deflated(file))
    record = read_image(Source(str(tmp_path / "a")), KEY, ReadOptions())
    assert record.location.storage == "deflated"
    ((offset, length),) = record.location.fragments
    assert file.data_set()[offset : offset + length] == bytes(range(48))
    assert record.flags == ()
    with zipfile.ZipFile(tmp_path / "z", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "a", "a")
    inside = read_image(Source(str(tmp_path / "z"), "a"), KEY, ReadOptions())
    assert (inside.location.storage, inside.location.fragments) == ("deflated", ((offset, 48),))


def test_a_deflated_bomb_is_refused_without_its_bytes(new_dicom: Any, tmp_path: Path) -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = bytes(1 << 20)
    bomb = b"".join(packer.compress(piece) for _ in range(40)) + packer.flush()
    file = new_dicom()
    file.syntax = DEFLATED
    (tmp_path / "a").write_bytes(bytes(128) + b"DICM" + file.meta() + bomb)
    tracemalloc.start()
    try:
        error = reject_of(tmp_path / "a", max_inflated=1 << 25)
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    assert error.reason is Reason.TOO_LARGE


def test_a_codestream_above_the_memory_cap_is_refused(new_dicom: Any, tmp_path: Path) -> None:
    path = new_dicom().write(tmp_path / "a")
    assert reject_of(path, max_inflated=47).reason is Reason.TOO_LARGE


def test_implicit_vr_under_an_explicit_label_is_read(new_dicom: Any, read_dicom: Read) -> None:
    file = new_dicom(
        PixelPaddingValue=0,
        ViewCodeSequence=[{"CodeValue": "R-10226", "CodingSchemeDesignator": "SRT"}],
    )
    plain = read_dicom(file)
    file.implicit = True
    mislabeled = read_dicom(file)
    assert (mislabeled.tags, mislabeled.grayscale) == (plain.tags, plain.grayscale)
    file.syntax = "1.2.840.10008.1.2"
    assert read_dicom(file).grayscale == plain.grayscale


def test_flags_come_once_and_records_are_equal(new_dicom: Any, read_dicom: Read) -> None:
    file = new_dicom(VOILUTSequence=[{}, {}], ImageLaterality=None, WindowWidth="0")
    first, second = read_dicom(file).flags, read_dicom(file).flags
    assert first == second == ("no_laterality", "lut_invalid", "voi_absent", "voi_invalid")


def test_the_hash_of_native_pixels_leaves_out_what_follows_them(
    new_dicom: Any, read_dicom: Read
) -> None:
    file = new_dicom(BitsAllocated=8, BitsStored=8, HighBit=7, Rows=5, Columns=3)
    wanted = hashlib.sha256(bytes(range(15))).hexdigest()
    for padding in (b"\0", b"\1", bytes(99)):
        file.pixels = bytes(range(15)) + padding
        assert read_dicom(file).sha256 == wanted


def test_a_stored_member_is_held_to_its_crc(new_dicom: Any, tmp_path: Path) -> None:
    data = new_dicom().encode()
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a", data)
    whole = bytearray((tmp_path / "a.zip").read_bytes())
    whole[whole.index(data) + len(data) - 5] ^= 1  # in a pixel
    (tmp_path / "a.zip").write_bytes(whole)
    assert reject_of(tmp_path / "a.zip", "a").reason is Reason.CORRUPT
    source = Source(str(tmp_path / "a.zip"), "a")
    assert read_image(source, KEY, ReadOptions(hash=False)).sha256 == ""


def test_what_is_no_dicom_file_is_skipped(tmp_path: Path) -> None:
    for name, data, reason in (
        ("empty", b"", Reason.EMPTY),
        ("text", b"hello\n" * 100, Reason.NOT_DICOM),
        ("short", bytes(131), Reason.NOT_DICOM),
        ("letters", bytes(128) + b"DICM", Reason.TRUNCATED),
        ("random", bytes(128) + b"DICM" + b"\xa5" * 999, Reason.CORRUPT),
    ):
        (tmp_path / name).write_bytes(data)
        assert reject_of(tmp_path / name).reason is reason
    assert reject_of(tmp_path).reason is Reason.NOT_A_FILE
    assert reject_of(tmp_path / "absent").reason is Reason.IO
