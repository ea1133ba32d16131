from collections.abc import Callable
from typing import Any

import pytest

from dali_pipelines.dicom.header import parse_age
from dali_pipelines.dicom.image_object import WANTED_TAGS
from dali_pipelines.dicom.tag_parser import tag_number
from dali_pipelines.records import ImageRecord
from dali_pipelines.verdicts import Reason, RejectError

Read = Callable[..., ImageRecord]
SPOT = {"CodeValue": "399055006", "CodingSchemeDesignator": "SCT"}
MAGNIFIED = {"CodeValue": "R-102D6", "CodingSchemeDesignator": "SRT"}


def test_no_name_no_birth_date_and_no_free_text_is_wanted() -> None:
    allowed_in_group_10 = {tag_number("PatientID"), tag_number("PatientAge")}
    numbers = {tag_number(name) for name in WANTED_TAGS}
    assert {number for number in numbers if number >> 16 == 0x10} == allowed_in_group_10
    for name in ("StudyDescription", "ImageComments", "ProtocolName", "StudyDate", "StationName"):
        assert tag_number(name) not in numbers


def test_every_tag_lands_in_its_field(new_dicom: Any, read_dicom: Read) -> None:
    file = new_dicom(
        SeriesInstanceUID="1.2.9",
        AccessionNumber="A77",
        Manufacturer="Maker",
        ManufacturerModelName="Model X",
        PatientAge="061Y",
        ImagerPixelSpacing="0.07\\0.07",
        BreastImplantPresent="NO",
    )
    tags = read_dicom(file).tags
    assert (tags.sop_instance_uid, tags.study_instance_uid, tags.series_instance_uid) == (
        "1.2.3.4",
        "1.2.3",
        "1.2.9",
    )
    assert (tags.patient_id, tags.exam_id, tags.age_years) == ("p1", "A77", 61)
    assert (tags.manufacturer, tags.model_name, tags.modality) == ("Maker", "Model X", "MG")
    assert (tags.laterality, tags.view, tags.implant) == ("L", "CC", False)
    assert (tags.rows, tags.columns, tags.bits_allocated, tags.bits_stored) == (4, 6, 16, 12)
    assert (tags.photometric, tags.intent) == ("MONOCHROME2", "presentation")
    assert tags.transfer_syntax_uid == "1.2.840.10008.1.2.1"
    assert tags.sop_class_uid == "1.2.840.10008.5.1.4.1.1.1.2"
    assert tags.spacing_mm == (0.07, 0.07)


def test_missing_ids_are_replaced_by_wider_ones(new_dicom: Any, read_dicom: Read) -> None:
    tags = read_dicom(new_dicom(PatientID="", AccessionNumber="")).tags
    assert (tags.patient_id, tags.exam_id) == ("1.2.3", "1.2.3")
    tags = read_dicom(new_dicom(PatientID=None, StudyInstanceUID=None)).tags
    assert (tags.patient_id, tags.exam_id) == ("1.2.3.4", "")


def test_the_instance_uid_names_the_image(new_dicom: Any, read_dicom: Read) -> None:
    first, second = (read_dicom(new_dicom(SOPInstanceUID=uid)) for uid in ("1.5", "1.6"))
    assert first.image_id != second.image_id
    assert len(first.image_id) == 32
    assert "1.5" not in first.image_id
    file = new_dicom(SOPInstanceUID=None)  # the file meta has it too
    assert read_dicom(file).tags.sop_instance_uid == "1.2.3.4"
    meta = file.encode().replace(b"\x02\0\x03\0UI", b"\x02\0\x04\0UI")
    with pytest.raises(RejectError) as caught:
        read_dicom(meta)
    assert caught.value.reason is Reason.HEADER


@pytest.mark.parametrize(
    ("age", "years"),
    [
        ("045Y", 45),
        ("089Y", 89),
        ("090Y", 90),
        ("104Y", 90),
        ("540M", 45),
        ("011M", 0),
        ("520W", 9),
        ("522W", 10),
        ("366D", 1),
        ("000Y", None),
        ("", None),
        ("45", None),
        ("45 Y", None),
        ("-45Y", None),
        ("045X", None),
    ],
)
def test_ages_are_whole_years_up_to_90(age: str, years: int | None) -> None:
    assert parse_age(age) == years


@pytest.mark.parametrize(
    ("tags", "spacing"),
    [
        ({"ImagerPixelSpacing": "0.1\\0.1"}, (0.1, 0.1)),
        ({"ImagerPixelSpacing": "0.1\\0.1", "PixelSpacing": "0.09\\0.09"}, (0.1, 0.1)),
        ({"PixelSpacing": "0.0941\\0.094"}, (0.0941, 0.094)),
        ({"NominalScannedPixelSpacing": "0.05\\0.05"}, (0.05, 0.05)),
        ({"ImagerPixelSpacing": "0\\0", "PixelSpacing": "0.09\\0.09"}, (0.09, 0.09)),
        ({"PixelSpacing": "0.1\\0.2"}, None),
        ({"PixelSpacing": "1\\1"}, None),
        ({"PixelSpacing": "0.01\\0.01"}, None),
        ({"PixelSpacing": "0.1"}, None),
        ({"PixelSpacing": "nan\\0.1"}, None),
        ({"PixelSpacing": "-0.1\\-0.1"}, None),
        ({}, None),
    ],
)
def test_spacing_is_believable_or_none(
    new_dicom: Any, read_dicom: Read, tags: dict[str, str], spacing: tuple[float, float] | None
) -> None:
    assert read_dicom(new_dicom(**tags)).tags.spacing_mm == spacing


@pytest.mark.parametrize(
    ("tags", "flag"),
    [
        ({"ImageType": "DERIVED\\PRIMARY\\TOMOSYNTHESIS\\GENERATED_2D"}, "synthetic_2d"),
        ({"BurnedInAnnotation": "YES"}, "burned_in"),
        ({"LossyImageCompression": "01"}, "lossy_history"),
        ({"BreastImplantPresent": "YES"}, "implant"),
        ({"QualityControlImage": "YES"}, "quality_control"),
        ({"PartialView": "YES"}, "partial_view"),
        ({"ViewPosition": "MLOID"}, "implant"),
        ({"ImageType": "DERIVED\\PRIMARY\\TOMO_PROJ\\RIGHT"}, "tomosynthesis"),
        ({"ImageType": "DERIVED\\PRIMARY\\TOMOSYNTHESIS\\NONE"}, "tomosynthesis"),
        ({"ImageType": "DERIVED\\PRIMARY\\\\SUBTRACTION"}, "contrast"),
        ({"ImageType": "ORIGINAL\\PRIMARY\\\\\\LOW_ENERGY"}, "contrast"),
        ({"ImageType": "ORIGINAL\\PRIMARY\\STEREO_MINUS"}, "biopsy"),
        ({"ImageType": "DERIVED\\PRIMARY\\STEREO\\LEFT"}, "biopsy"),  # as Siemens has it
        ({"ImageType": "ORIGINAL\\PRIMARY\\POSTFIRE_PLUS"}, "biopsy"),
        ({"ViewModifierCodeSequence": [SPOT]}, "spot"),
        ({"ViewModifierCodeSequence": [MAGNIFIED]}, "magnification"),
        ({"ViewPosition": "MLOID", "BreastImplantPresent": "NO"}, "view_conflict"),
        ({"ViewPosition": "PA"}, "no_view"),
        ({"ImageLaterality": None}, "no_laterality"),
    ],
)
def test_what_needs_care_is_flagged(
    new_dicom: Any, read_dicom: Read, tags: dict[str, Any], flag: str
) -> None:
    assert read_dicom(new_dicom(**tags)).flags == (flag,)


def test_raw_detector_data_are_flagged_where_they_are_accepted(
    new_dicom: Any, read_dicom: Read
) -> None:
    file = new_dicom(PresentationIntentType="FOR PROCESSING", PixelIntensityRelationship="LIN")
    with pytest.raises(RejectError) as caught:
        read_dicom(file)
    assert caught.value.reason is Reason.FOR_PROCESSING
    record = read_dicom(file, accept_processing=True)
    assert record.flags == ("for_processing_accepted",)
    assert (record.tags.intent, record.tags.intensity) == ("processing", "LIN")
    file.tags |= {"PresentationIntentType": "FOR PRESENTATION", "PixelIntensityRelationship": "?"}
    record = read_dicom(file, accept_processing=True)
    assert (record.flags, record.tags.intensity) == ((), "")


def test_ordinary_values_are_not_flagged(new_dicom: Any, read_dicom: Read) -> None:
    file = new_dicom(
        ImageType="ORIGINAL\\PRIMARY\\\\NONE",
        BurnedInAnnotation="NO",
        LossyImageCompression="00",
        BreastImplantPresent="NO",
        QualityControlImage="NO",
        PartialView="NO",
    )
    assert read_dicom(file).flags == ()
    assert read_dicom(new_dicom()).tags.implant is None
    file.tags["ViewPosition"] = "MLOID"  # displaced, though tagged as absent: the tag counts
    assert read_dicom(file).tags.implant is False
