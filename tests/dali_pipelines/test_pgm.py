"""PGM pictures, as mini-MIAS has them: what the header may look like, and which pixels come out."""

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dali_pipelines.cpu.decode import decode
from dali_pipelines.dicom.image import ReadOptions, read_image
from dali_pipelines.reader import read_encoded
from dali_pipelines.records import ImageRecord
from dali_pipelines.storage.archive import Source
from dali_pipelines.verdicts import Flag, Reason, RejectError

KEY = b"key of the tests"


def read(path: Path, **options: object) -> ImageRecord:
    return read_image(Source(str(path)), KEY, ReadOptions(**options))


def values(record: ImageRecord) -> np.ndarray:
    return np.asarray(decode(read_encoded(record)).values)


def test_pixels_are_those_that_pillow_wrote(tmp_path: Path) -> None:
    picture = np.random.default_rng(1).integers(0, 256, (7, 5), np.uint8)
    Image.fromarray(picture).save(tmp_path / "mdb001.pgm")
    record = read(tmp_path / "mdb001.pgm")
    assert (record.stream.height, record.stream.width, record.stream.precision) == (7, 5, 8)
    assert (values(record) == picture).all()
    assert record.flags == (Flag.NO_LATERALITY, Flag.NO_VIEW)


@pytest.mark.parametrize(
    "header", [b"P5 3 2 255\n", b"P5\n# a comment\n3 2\n# more\r\n255\n", b"P5\t3\n2   255 "]
)
def test_space_and_comments_may_stand_between_the_numbers(tmp_path: Path, header: bytes) -> None:
    (tmp_path / "a").write_bytes(header + bytes(range(6)))
    assert values(read(tmp_path / "a")).tolist() == [[0, 1, 2], [3, 4, 5]]


def test_two_bytes_a_pixel_come_higher_first(tmp_path: Path) -> None:
    (tmp_path / "a.pgm").write_bytes(b"P5 2 1 4095\n" + bytes([0x0F, 0xFE, 0x00, 0x01]))
    record = read(tmp_path / "a.pgm")
    assert values(record).tolist() == [[0xFFE, 1]]
    assert (record.tags.bits_stored, record.tags.bits_allocated) == (12, 16)


def test_a_second_picture_in_the_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.pgm").write_bytes(2 * (b"P5 3 2 255\n" + bytes(range(6))))
    record = read(tmp_path / "a.pgm")
    assert values(record).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert record.flags[0] == Flag.EXCESS_BYTES


def test_the_uid_is_that_of_the_pixels(tmp_path: Path) -> None:
    for name, data in (("a", bytes(6)), ("b", bytes(6)), ("c", bytes(5) + b"x")):
        (tmp_path / name).write_bytes(b"P5 3 2 255\n" + data)
    (tmp_path / "d").write_bytes(b"P5 2 3 255\n" + bytes(6))
    a, b, c, d = (read(tmp_path / name).tags.sop_instance_uid for name in "abcd")
    assert a == b
    assert len({a, c, d}) == 3
    assert re.fullmatch(r"2\.25\.(0|[1-9]\d*)", a)
    assert len(a) <= 64


@pytest.mark.parametrize(
    ("data", "reason", "sentence"),
    [
        (b"P5 3 2\n", Reason.HEADER, "lacks width, height"),
        (b"P5 0 2 255\n", Reason.HEADER, "0 x 2 px"),
        (b"P5 3 2 0\n" + bytes(6), Reason.HEADER, "values up to 0"),
        (b"P5 3 2 65536\n" + bytes(12), Reason.HEADER, "values up to 65536"),
        (b"P5 3 2 255\n" + bytes(5), Reason.TRUNCATED, "only 5"),
        (b"P5 300 200 255\n", Reason.TOO_LARGE, "more than the limit of 100"),
        (b"P5x 3 2 255\n" + bytes(200), Reason.NOT_DICOM, "DICM"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    tmp_path: Path, data: bytes, reason: Reason, sentence: str
) -> None:
    (tmp_path / "a").write_bytes(data)
    with pytest.raises(RejectError, match=sentence) as caught:
        read(tmp_path / "a", max_pixels=100)
    assert caught.value.reason is reason
