import os
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dali_pipelines.dicom.image import ReadOptions, read_image
from dali_pipelines.phantom.encode import encode_frame
from dali_pipelines.reader import read_encoded
from dali_pipelines.records import ImageRecord
from dali_pipelines.storage.archive import Source
from dali_pipelines.verdicts import Reason, RejectError

Scan = Callable[..., ImageRecord]
J2K = "1.2.840.10008.1.2.4.90"


def scan(path: Path, member: str = "", **options: Any) -> ImageRecord:
    return read_image(Source(str(path), member), b"key", ReadOptions(**options))


def reason_of(record: ImageRecord) -> Reason:
    with pytest.raises(RejectError) as caught:
        read_encoded(record)
    return caught.value.reason


@pytest.fixture
def stream() -> bytes:
    values = np.random.default_rng(0).integers(0, 4096, (40, 30)).astype(np.uint16)
    return encode_frame(values, 12, "j2k")


@pytest.fixture
def j2k_file(new_dicom: Any, stream: bytes) -> Any:
    file = new_dicom(Rows=40, Columns=30)
    file.syntax, file.pixels = J2K, [stream[:100], stream[100:102], stream[102:]]
    return file


def test_fragments_are_put_together_and_bared(j2k_file: Any, stream: bytes, tmp_path: Path) -> None:
    j2k_file.pixels[-1] += bytes(8)
    record = scan(j2k_file.write(tmp_path / "a"))
    encoded = read_encoded(record)
    assert bytes(encoded.data) == stream
    assert encoded.record is record
    assert encoded.data.dtype == np.uint8
    with pytest.raises(ValueError, match="read-only"):
        encoded.data[0] = 0


def test_a_box_around_the_stream_is_taken_off(j2k_file: Any, stream: bytes, tmp_path: Path) -> None:
    values = np.random.default_rng(0).integers(0, 4096, (40, 30)).astype(np.uint16)
    j2k_file.pixels = [encode_frame(values, 12, "j2k_boxed")]
    encoded = read_encoded(scan(j2k_file.write(tmp_path / "a")))
    assert bytes(encoded.data[:4]) == b"\xff\x4f\xff\x51"
    assert bytes(encoded.data[-2:]) == b"\xff\xd9"


def test_native_pixels_stay_as_they_are(new_dicom: Any, tmp_path: Path) -> None:
    file = new_dicom()
    file.pixels += bytes(4)
    assert bytes(read_encoded(scan(file.write(tmp_path / "a"))).data) == bytes(range(48))


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_zip_members(j2k_file: Any, stream: bytes, tmp_path: Path, method: int) -> None:
    with zipfile.ZipFile(tmp_path / "z", "w", method) as archive:
        archive.writestr("other", b"x" * 99)
        archive.writestr("../../a", j2k_file.encode())
    record = scan(tmp_path / "z", "../../a")
    assert record.location.storage == ("range" if method == zipfile.ZIP_STORED else "member")
    assert bytes(read_encoded(record).data) == stream


@pytest.mark.parametrize("zipped", [None, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_deflated_data_sets(new_dicom: Any, tmp_path: Path, zipped: int | None) -> None:
    file = new_dicom()
    file.syntax = "1.2.840.10008.1.2.1.99"
    packed = zlib.compress(file.data_set(), wbits=-15)
    path, member = tmp_path / "a", ""
    path.write_bytes(bytes(128) + b"DICM" + file.meta() + packed)
    if zipped is not None:
        with zipfile.ZipFile(tmp_path / "z", "w", zipped) as archive:
            archive.write(path, "a")
        path, member = tmp_path / "z", "a"
    record = scan(path, member)
    assert record.location.storage == "deflated"
    assert bytes(read_encoded(record).data) == bytes(range(48))


def test_a_changed_file_is_not_read(j2k_file: Any, tmp_path: Path) -> None:
    path = j2k_file.write(tmp_path / "a")
    record = scan(path)
    os.utime(path, ns=(1, record.location.mtime_ns + 1))
    with pytest.raises(RejectError, match="E_CHANGED: the file has another time than the scan saw"):
        read_encoded(record)
    os.utime(path, ns=(1, record.location.mtime_ns))
    assert read_encoded(record).data.size
    with path.open("ab") as file:
        file.write(b"x")
    os.utime(path, ns=(1, record.location.mtime_ns))
    with pytest.raises(RejectError, match=r"the file has \d+ bytes, not \d+$"):
        read_encoded(record)
    path.unlink()
    assert reason_of(record) is Reason.IO
    path.mkdir()
    assert reason_of(record) is Reason.NOT_A_FILE


def test_what_the_scan_did_not_prove_is_proved_here(j2k_file: Any, tmp_path: Path) -> None:
    j2k_file.pixels = [j2k_file.pixels[0]]
    record = scan(j2k_file.write(tmp_path / "a"), hash=False)
    assert reason_of(record) is Reason.TRUNCATED


def test_a_location_that_lies_takes_no_memory(j2k_file: Any, tmp_path: Path) -> None:
    record = scan(j2k_file.write(tmp_path / "a"))
    size = record.location.file_size
    for fragments, reason in (
        (((0, (1 << 30) + 1),), Reason.TOO_LARGE),
        (((size - 10, 100),), Reason.TRUNCATED),
        (((0, 100),), Reason.CORRUPT),
    ):
        lying = replace(record, location=replace(record.location, fragments=fragments))
        assert reason_of(lying) is reason


def test_pydicom_is_not_needed_to_read() -> None:
    code = "import sys, dali_pipelines.reader; sys.exit('pydicom' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
