from collections.abc import Callable
from typing import Any

import pytest

from dali_pipelines.records import ImageRecord
from dali_pipelines.verdicts import Reason, RejectError

STORAGE = "1.2.840.10008.5.1.4.1.1."
MG, MG_PROCESSING, SC, CR = f"{STORAGE}1.2", f"{STORAGE}1.2.1", f"{STORAGE}7", f"{STORAGE}1"
Read = Callable[..., ImageRecord]


def reason_of(read: Read, file: Any, **options: Any) -> Reason:
    with pytest.raises(RejectError) as caught:
        read(file, **options)
    return caught.value.reason


@pytest.mark.parametrize(
    ("sop_class", "flags"),
    [
        (MG, ()),
        (SC, ("sc",)),
        (f"{SC}.3", ("sc",)),
        (CR, ("not_mg",)),
        (f"{STORAGE}1.1", ("not_mg",)),
    ],
)
def test_projection_images_are_taken(
    new_dicom: Any, read_dicom: Read, sop_class: str, flags: tuple[str, ...]
) -> None:
    assert read_dicom(new_dicom(SOPClassUID=sop_class)).flags == flags


@pytest.mark.parametrize(
    ("sop_class", "reason"),
    [
        (f"{STORAGE}13.1.3", Reason.MULTIFRAME),
        (f"{STORAGE}13.1.4", Reason.MULTIFRAME),
        (f"{STORAGE}13.1.5", Reason.MULTIFRAME),
        (f"{STORAGE}88.50", Reason.NOT_AN_IMAGE),
        (f"{STORAGE}11.1", Reason.NOT_AN_IMAGE),
        (f"{STORAGE}66.4", Reason.NOT_AN_IMAGE),
        (f"{STORAGE}104.1", Reason.NOT_AN_IMAGE),
        ("1.2.840.10008.1.3.10", Reason.NOT_AN_IMAGE),
    ],
)
def test_other_objects_are_skipped(
    new_dicom: Any, read_dicom: Read, sop_class: str, reason: Reason
) -> None:
    assert reason_of(read_dicom, new_dicom(SOPClassUID=sop_class)) is reason


@pytest.mark.parametrize(
    "sop_class", [f"{STORAGE}2", f"{STORAGE}4", f"{STORAGE}6.1", f"{STORAGE}1.3", "1.3.6.1.4.1.99"]
)  # CT, MR, ultrasound, intra-oral, private
def test_other_modalities_need_to_be_asked_for(
    new_dicom: Any, read_dicom: Read, sop_class: str
) -> None:
    file = new_dicom(SOPClassUID=sop_class)
    assert reason_of(read_dicom, file) is Reason.NOT_MAMMOGRAPHY
    assert read_dicom(file, any_modality=True).flags == ("not_mg",)
    assert reason_of(read_dicom, new_dicom(SOPClassUID=f"{STORAGE}13.1.3")) is Reason.MULTIFRAME


def test_without_pixels_the_class_says_what_is_wrong(new_dicom: Any, read_dicom: Read) -> None:
    for tags, reason in (
        ({}, Reason.NO_PIXELS),
        ({"SOPClassUID": f"{STORAGE}481.5", "Rows": None}, Reason.NOT_AN_IMAGE),
        ({"SOPClassUID": "1.3.6.1.4.1.99"}, Reason.NOT_MAMMOGRAPHY),
        ({"SOPClassUID": None, "Rows": None}, Reason.NO_PIXELS),  # the file meta says MG
    ):
        file = new_dicom(**tags)
        file.pixels = None
        assert reason_of(read_dicom, file) is reason


@pytest.mark.parametrize(
    "tags", [{"SOPClassUID": MG_PROCESSING}, {"PresentationIntentType": "FOR PROCESSING"}]
)
def test_raw_detector_data_need_to_be_asked_for(
    new_dicom: Any, read_dicom: Read, tags: dict[str, str]
) -> None:
    file = new_dicom(WindowCenter=None, WindowWidth=None, **tags)
    assert reason_of(read_dicom, file) is Reason.FOR_PROCESSING
    assert read_dicom(file, accept_processing=True).tags.intent == "processing"


@pytest.mark.parametrize(
    ("sop_class", "tag", "wanted"),
    [
        (MG, "FOR PRESENTATION", "presentation"),
        (MG, None, "presentation"),
        (SC, None, ""),
        (SC, "for presentation", "presentation"),
        (MG_PROCESSING, "FOR PRESENTATION", "processing"),
    ],
)
def test_the_intent_is_inferred_where_it_is_missing(
    new_dicom: Any, read_dicom: Read, sop_class: str, tag: str | None, wanted: str
) -> None:
    file = new_dicom(SOPClassUID=sop_class, PresentationIntentType=tag)
    assert read_dicom(file, accept_processing=True).tags.intent == wanted


def test_frames(new_dicom: Any, read_dicom: Read) -> None:
    for frames in ("1", "", None):
        assert read_dicom(new_dicom(NumberOfFrames=frames)).tags.rows == 4
    for frames in ("2", "100000"):
        assert reason_of(read_dicom, new_dicom(NumberOfFrames=frames)) is Reason.MULTIFRAME
    for frames in ("0", "-1", "two", "1\\1", "1.5"):
        assert reason_of(read_dicom, new_dicom(NumberOfFrames=frames)) is Reason.FRAMES


def test_color_is_skipped(new_dicom: Any, read_dicom: Read) -> None:
    for kind in ("RGB", "YBR_FULL_422", "PALETTE COLOR"):
        file = new_dicom(PhotometricInterpretation=kind)
        assert reason_of(read_dicom, file) is Reason.COLOR
    assert reason_of(read_dicom, new_dicom(SamplesPerPixel=3)) is Reason.COLOR


def test_a_polarity_that_is_not_known_is_refused(new_dicom: Any, read_dicom: Read) -> None:
    for kind in (None, "", "MONOCHROME3"):
        file = new_dicom(PhotometricInterpretation=kind)
        assert reason_of(read_dicom, file) is Reason.HEADER
    assert reason_of(read_dicom, new_dicom(SamplesPerPixel=0)) is Reason.HEADER
    assert read_dicom(new_dicom(SamplesPerPixel=None)).tags.photometric == "MONOCHROME2"


def test_float_pixels_are_unsupported(new_dicom: Any, read_dicom: Read) -> None:
    file = new_dicom()
    data = file.encode()
    at = data.index(b"\xe0\x7f\x10\x00")
    for element, vr in ((8, b"OF"), (9, b"OD")):
        head = b"\xe0\x7f" + bytes([element, 0]) + vr + bytes(6)
        assert reason_of(read_dicom, data[:at] + head + data[at:]) is Reason.UNSUPPORTED
