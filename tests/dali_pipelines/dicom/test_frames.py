"""Which frames make an image, what it is called, and which damage costs it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from dali_pipelines.cpu.decode import decode
from dali_pipelines.dicom.frames import choose_frames, frame_number, name_of
from dali_pipelines.dicom.image import ReadOptions, read_image
from dali_pipelines.identity import image_id
from dali_pipelines.reader import read_encoded
from dali_pipelines.records import ImageRecord
from dali_pipelines.storage.archive import Source
from dali_pipelines.verdicts import Reason, RejectError
from tests.frame_stack import TOMOSYNTHESIS, dicom_of, stack

KEY = bytes(32)
Read = Callable[..., tuple[ImageRecord, ...]]


def test_which_frames_make_an_image() -> None:
    assert choose_frames("first", 5) == ((0,),)
    assert [choose_frames("middle", n)[0][0] for n in (1, 2, 3, 4, 5)] == [0, 0, 1, 1, 2]
    assert choose_frames("all", 3) == ((0,), (1,), (2,))
    assert choose_frames("mip", 3) == ((0, 1, 2),)
    assert all(choose_frames(f, 1) == ((0,),) for f in ("error", "first", "middle", "all", "mip"))
    assert [frame_number(chosen, 3) for chosen in ((2,), (0, 1, 2))] == [2, None]
    assert frame_number((0,), 1) is None
    assert (name_of("1.2", 3, "all"), name_of("1.2", 3, "middle")) == ("1.2\0003", "1.2")
    assert name_of("1.2", None, "all") == "1.2"


def test_ids_and_frames_of_the_records(read: Read) -> None:
    file = dicom_of(stack(3), "raw")
    every = read(file, "all")
    assert [record.image_id for record in every] == [
        image_id(KEY, f"1.2.3.4\0{k}") for k in range(3)
    ]
    assert [record.tags.frame for record in every] == [0, 1, 2]
    assert len({record.sha256 for record in every}) == 3
    for frames, number in (("first", 0), ("middle", 1), ("mip", None)):
        (record,) = read(file, frames)
        assert record.image_id == image_id(KEY, "1.2.3.4")
        assert (record.tags.frame, record.tags.number_of_frames) == (number, 3)
        assert record.location.frame_fragments == ((1, 1, 1) if frames == "mip" else ())
    (alone,) = read(dicom_of(stack(1), "raw"), "all")
    assert (alone.tags.frame, alone.image_id) == (None, image_id(KEY, "1.2.3.4"))


def test_without_being_asked_for_they_are_skipped(read: Read) -> None:
    for tags in ({}, {"SOPClassUID": TOMOSYNTHESIS}, {"NumberOfFrames": 100_000}):
        with pytest.raises(RejectError) as caught:
            read(dicom_of(stack(), "raw", **tags), "error")
        assert caught.value.reason is Reason.MULTIFRAME
    projections = dicom_of(stack(), "raw", SOPClassUID=f"{TOMOSYNTHESIS[:-1]}5")
    with pytest.raises(RejectError) as caught:
        read(projections, "all")
    assert caught.value.reason is Reason.FOR_PROCESSING
    assert len(read(projections, "all", accept_processing=True)) == 3


def test_tomosynthesis_is_mammography(read: Read) -> None:
    (record,) = read(dicom_of(stack(), "raw", SOPClassUID=TOMOSYNTHESIS), "mip")
    assert "not_mg" not in record.flags


@pytest.mark.parametrize("syntax", ["j2k", "jpeg_sv1", "jpegls", "htj2k", "rle"])
def test_one_bad_frame_costs_the_object_where_it_is_wanted(read: Read, syntax: str) -> None:
    file = dicom_of(stack(3, shape=(40, 30)), syntax)
    assert not isinstance(file.pixels, bytes)
    assert file.pixels is not None
    parts = list(file.pixels)
    parts[2] = parts[2][: len(parts[2]) // 4 * 2] if syntax != "rle" else parts[2][:80]
    file.pixels = parts
    assert len(read(file, "first")) == len(read(file, "middle")) == 1
    for frames in ("all", "mip"):
        with pytest.raises(RejectError) as caught:
            decode(read_encoded(read(file, frames)[-1]))
        assert caught.value.reason in (Reason.TRUNCATED, Reason.CORRUPT)


@pytest.mark.parametrize("syntax", ["raw", "rle", "j2k", "jpeg_sv1", "jpegls", "htj2k"])
def test_a_cut_object_gives_no_frame(read: Read, syntax: str) -> None:
    file = dicom_of(stack(3), syntax)
    data = file.encode()
    end = 10 if syntax != "raw" else 1  # delimiter and padding, without which all frames are whole
    between = data.rindex(b"\xfe\xff\x00\xe0") if syntax != "raw" else len(data) // 2
    for cut in (*range(400, len(data) - end, 37), len(data) - end, between, between + 3):
        for frames in ("first", "all", "mip"):
            with pytest.raises(RejectError) as caught:
                read(data[:cut], frames)
            assert caught.value.reason in (Reason.TRUNCATED, Reason.NO_PIXELS), cut


def test_each_frame_is_held_to_rows_and_columns(read: Read) -> None:
    file = dicom_of(stack(3), "j2k")
    other = dicom_of(stack(1, shape=(8, 7)), "j2k")
    file.pixels = [*list(file.pixels or ())[:2], *(other.pixels or ())]
    assert len(read(file, "middle")) == 1
    for frames in ("all", "mip"):
        with pytest.raises(RejectError) as caught:
            read(file, frames)
        assert caught.value.reason is Reason.GEOMETRY


def test_frames_that_are_packed_in_different_ways_have_no_maximum(read: Read) -> None:
    values = stack(3)
    file = dicom_of(values, "j2k")
    file.pixels = [*list(file.pixels or ())[:2], *list(dicom_of(values, "jpegls").pixels or ())[2:]]
    assert [record.stream.kind for record in read(file, "all")] == ["j2k", "j2k", "jpegls"]
    with pytest.raises(RejectError) as caught:
        read(file, "mip")
    assert caught.value.reason is Reason.UNSUPPORTED


@pytest.mark.parametrize("frame", range(3))
@pytest.mark.parametrize("syntax", ["raw", "j2k"])
def test_a_change_in_any_frame_is_seen(read: Read, tmp_path: Path, syntax: str, frame: int) -> None:
    (record,) = read(dicom_of(stack(3), syntax), "mip")
    place = record.location
    data = bytearray(Path(place.path).read_bytes())
    offset, length = place.fragments[frame]
    data[offset + length - 10] ^= 1  # of JPEG 2000 within the last packet
    Path(place.path).write_bytes(data)
    os.utime(place.path, ns=(place.mtime_ns, place.mtime_ns))
    with pytest.raises(RejectError) as caught:
        read_encoded(record)
    assert caught.value.reason is Reason.CHANGED
    assert read_encoded(record, verify=False).frames == (1 if syntax == "raw" else 3)


def test_what_is_held_at_once_is_bounded(read: Read) -> None:
    raw, coded = dicom_of(stack(3), "raw"), dicom_of(stack(3), "rle")
    one = 9 * 7 * 2
    assert len(read(raw, "mip", max_inflated=one)) == 1  # native frames are taken one at a time
    for file, limit in ((raw, one - 1), (coded, one * 2)):
        with pytest.raises(RejectError) as caught:
            read(file, "mip", max_inflated=limit)
        assert caught.value.reason is Reason.TOO_LARGE


def test_read_image_wants_exactly_one(tmp_path: Path) -> None:
    path = dicom_of(stack(2), "raw").write(tmp_path / "a")
    assert read_image(Source(str(path)), KEY, ReadOptions(frames="mip")).tags.frame is None
    with pytest.raises(ValueError, match="too many values"):
        read_image(Source(str(path)), KEY, ReadOptions(frames="all"))
