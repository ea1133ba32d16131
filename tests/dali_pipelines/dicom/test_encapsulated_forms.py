"""A mammogram of real size in each syntax, wrapped in every way that archives wrap it.

What the reader hands to the decoder must be the codestream to the byte, and its pixels those that
were written, whatever stands around it; or the file is refused with the code that says why.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dali_pipelines.cpu.decode import decode
from dali_pipelines.dicom.image import ReadOptions, read_image
from dali_pipelines.phantom.encode import SYNTAXES, encode_frame
from dali_pipelines.reader import read_encoded
from dali_pipelines.records import ImageRecord
from dali_pipelines.storage.archive import Source
from dali_pipelines.verdicts import Flag, Reason, RejectError
from tests.dali_pipelines.dicom.wrapping import (
    UNKNOWN,
    Form,
    Wrapped,
    box,
    boxed,
    extended,
    followed_by,
    pieces,
    segment,
    split_in_markers,
    table,
    tables_first,
    with_segments,
    zeros_at_the_end,
)

HEIGHT, WIDTH = 2294, 1914  # 161 x 134 mm at 70 um
WAVELETS, JPEGS = ("j2k", "htj2k"), ("jpeg_sv1", "jpeg_lossless", "jpegls")
CLOSED = (*WAVELETS, *JPEGS)  # those that end with a marker
ALL = (*CLOSED, "rle")
PIXEL_DATA = struct.pack("<HH2sHI", 0x7FE0, 0x10, b"OB", 0, 0xFFFFFFFF)
DELIMITER = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)


@dataclass(frozen=True)
class Expected:
    """The form, the syntaxes that it is tried in, and its flags or the reason of its refusal."""

    wrap: Form
    syntaxes: tuple[str, ...] = ALL
    ends: Reason | tuple[str, ...] = ()


JFIF = segment(0xE0, b"JFIF\0\1\2\0\0\1\0\1\0\0")
THUMBNAIL = segment(0xE1, b"Exif\0\0\xff\xd8\xff\xc4\0\4ab\xff\xd9 a whole JPEG in here")
COMMENT = segment(0xFE, b"\xff\xd9\xff\xda written by hand")
TRAILING = (Flag.TRAILING_BYTES.value,)
BOXED = (Flag.BOXED.value,)
FORMS = {
    "one_fragment": Expected(lambda stream: Wrapped([stream])),
    "two_fragments": Expected(lambda stream: Wrapped(pieces(stream, len(stream) // 2 + 1))),
    "fragments_of_4_KiB": Expected(lambda stream: Wrapped(pieces(stream, 4096))),
    "fragments_of_odd_length": Expected(lambda stream: Wrapped(pieces(stream, 99_999))),
    "fragments_that_split_markers": Expected(split_in_markers),
    "empty_fragments": Expected(
        lambda stream: Wrapped([b"", *pieces(stream, 1 << 20), b"", b""]),
    ),
    "right_offset_table": Expected(table(bytes(4))),
    "table_of_fragments": Expected(table(struct.pack("<3I", 0, 8 + (1 << 19), 16 + (1 << 20)))),
    "wrong_offset_table": Expected(table(struct.pack("<2I", 0, 12))),
    "offset_table_past_the_end": Expected(table(b"\xff" * 8)),
    "offset_table_of_3_bytes": Expected(table(b"\0\1\2")),
    "absent_offset_table": Expected(table(None), ends=Reason.CORRUPT),
    "absent_table_one_item": Expected(
        lambda stream: Wrapped([stream], table=None), ends=Reason.CORRUPT
    ),
    "right_extended_table": Expected(extended(0)),
    "wrong_extended_table": Expected(extended(1 << 63, 3)),
    "one_byte_of_padding": Expected(followed_by(b"\0"), CLOSED),
    "64_KiB_of_padding": Expected(followed_by(bytes(1 << 16)), ALL, TRAILING),
    "garbage_after_the_end": Expected(followed_by(b"\xff\xd9 garbage" * 99), CLOSED, TRAILING),
    "no_end_marker": Expected(lambda stream: Wrapped([stream[:-2]]), CLOSED, Reason.TRUNCATED),
    "half_an_end_marker": Expected(lambda stream: Wrapped([stream[:-1]]), CLOSED, Reason.TRUNCATED),
    "zeros_for_eoi": Expected(zeros_at_the_end, JPEGS, Reason.TRUNCATED),
    "zeros_for_eoc": Expected(zeros_at_the_end, WAVELETS, Reason.CORRUPT),
    "jp2_boxes": Expected(boxed(), WAVELETS, BOXED),
    "jp2_box_to_the_end": Expected(boxed(length=0), WAVELETS, BOXED),
    "jp2_box_of_64_bits": Expected(boxed(length=1), WAVELETS, BOXED),
    "unknown_boxes": Expected(boxed(None, UNKNOWN, UNKNOWN), WAVELETS, BOXED),
    "unknown_box_without_end": Expected(
        boxed(None, box(b"uuid", b"", length=0)), WAVELETS, Reason.CORRUPT
    ),
    "jp2_boxes_in_fragments": Expected(
        lambda stream: Wrapped(pieces(boxed(None, UNKNOWN)(stream).fragments[0], 50), bare=stream),
        ("htj2k",),
        BOXED,
    ),
    "tables_before_the_frame": Expected(tables_first, ("jpeg_sv1", "jpeg_lossless")),
    "jfif": Expected(with_segments(JFIF), JPEGS),
    "thumbnail_and_comments": Expected(
        with_segments(COMMENT, THUMBNAIL, *[segment(0xEF, bytes(65_533))] * 3, COMMENT), JPEGS
    ),
    "fill_bytes": Expected(with_segments(b"\xff" * 7, COMMENT, b"\xff"), JPEGS),
    "more_rows": Expected(
        lambda stream: Wrapped([stream], tags={"Rows": HEIGHT + 1}), CLOSED, Reason.GEOMETRY
    ),
    "rows_and_columns_swapped": Expected(
        lambda stream: Wrapped([stream], tags={"Rows": WIDTH, "Columns": HEIGHT}),
        ends=Reason.GEOMETRY,
    ),
}
CASES = [
    pytest.param(name, syntax, id=f"{name}-{syntax}")
    for name, form in FORMS.items()
    for syntax in form.syntaxes
]


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """Stored values of 12 bits: tissue of a few waves and noise, a black background."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    waves = 400 * np.sin(columns / 90) + 300 * np.cos(rows / 70)
    grain = np.random.default_rng(4).normal(1500, 12, (HEIGHT, WIDTH))
    inside = (columns / 1200) ** 2 + ((rows - HEIGHT / 2) / 1000) ** 2 < 1
    return np.where(inside, waves + grain, 0).clip(0, 4095).astype(np.uint16)


@pytest.fixture(scope="module")
def streams(image: np.ndarray) -> dict[str, bytes]:
    """The image in each encapsulated syntax."""
    return {name: encode_frame(image, 12, name, predictor=_predictor(name)) for name in ALL}


def _predictor(syntax: str) -> int:
    return 6 if syntax == "jpeg_lossless" else 1


def file_of(new_dicom: Any, syntax: str, wrapped: Wrapped) -> bytes:
    """The file, with items of just the lengths that were asked for."""
    shape = {"Rows": HEIGHT, "Columns": WIDTH}
    file = new_dicom(**{**shape, **wrapped.tags})
    file.syntax, file.pixels = SYNTAXES[syntax], None
    parts = wrapped.fragments if wrapped.table is None else [wrapped.table, *wrapped.fragments]
    items = b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(part)) + part for part in parts)
    return file.encode() + PIXEL_DATA + items + DELIMITER


@pytest.fixture
def read(tmp_path: Path) -> Iterator[Callable[[bytes], ImageRecord]]:
    def of(data: bytes) -> ImageRecord:
        path = tmp_path / "image.dcm"
        path.write_bytes(data)
        return read_image(Source(str(path)), b"key of the tests", ReadOptions())

    return of


@pytest.mark.parametrize(("name", "syntax"), CASES)
def test_the_codestream_is_found_or_the_file_refused(
    name: str,
    syntax: str,
    image: np.ndarray,
    streams: dict[str, bytes],
    new_dicom: Any,
    read: Callable[[bytes], ImageRecord],
) -> None:
    form = FORMS[name]
    wrapped = form.wrap(streams[syntax])
    data = file_of(new_dicom, syntax, wrapped)
    if isinstance(form.ends, Reason):
        with pytest.raises(RejectError) as caught:
            read(data)
        assert caught.value.reason is form.ends
        assert caught.value.detail
        return
    record = read(data)
    usual = {"precision_mismatch"} if syntax == "jpegls" else set()  # its encoder states 16 bits
    assert set(record.flags) == {*form.ends, *usual}
    encoded = read_encoded(record)
    wanted = streams[syntax] if wrapped.bare is None else wrapped.bare
    assert encoded.data.tobytes() == wanted
    if wanted != streams[syntax] or name == "one_fragment":  # else equal bytes are equal pixels
        assert np.array_equal(decode(encoded).values, image)


def test_an_absent_offset_table_is_told_in_one_sentence(
    streams: dict[str, bytes], new_dicom: Any, read: Callable[[bytes], ImageRecord]
) -> None:
    with pytest.raises(RejectError) as caught:
        read(file_of(new_dicom, "j2k", Wrapped([streams["j2k"]], table=None)))
    assert "holds a codestream in place of the offset table" in caught.value.detail


@pytest.mark.parametrize(("more", "reason"), [(1, Reason.TRUNCATED), (-1, Reason.GEOMETRY)])
def test_rle_of_another_number_of_rows_is_refused_once_it_is_unpacked(
    more: int,
    reason: Reason,
    streams: dict[str, bytes],
    new_dicom: Any,
    read: Callable[[bytes], ImageRecord],
) -> None:
    wrapped = Wrapped([streams["rle"]], tags={"Rows": HEIGHT + more})
    encoded = read_encoded(read(file_of(new_dicom, "rle", wrapped)))
    with pytest.raises(RejectError) as caught:
        decode(encoded)
    assert caught.value.reason is reason
