"""The header's tags -> ImageTags, and what is odd about them.

Reads a fixed list of tags. Names, birth dates and free text are not among them and never will be.
"""

import math
import re
from typing import Final

from pydicom.dataset import Dataset

from dali_pipelines.dicom import laterality_view, object_kind
from dali_pipelines.dicom.file_meta import FileMeta
from dali_pipelines.dicom.laterality_view import find_chest_side, find_laterality, find_view
from dali_pipelines.dicom.pixel_format import PixelFormat
from dali_pipelines.dicom.tag_values import numbers, text, texts
from dali_pipelines.dicom.uids import (
    MAMMOGRAPHY,
    MAMMOGRAPHY_PROCESSING,
    MULTIFRAME_CLASSES,
    is_secondary_capture,
)
from dali_pipelines.records import IMPLANT_DISPLACED, ImageTags
from dali_pipelines.verdicts import Flag, Reason, RejectError

TAGS: Final = (
    *object_kind.TAGS,
    *laterality_view.TAGS,
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "PatientID",
    "PatientAge",
    "AccessionNumber",
    "Modality",
    "ImageType",
    "Manufacturer",
    "ManufacturerModelName",
    "ImagerPixelSpacing",
    "PixelSpacing",
    "NominalScannedPixelSpacing",
    "BreastImplantPresent",
    "BurnedInAnnotation",
    "QualityControlImage",
    "PartialView",
    "LossyImageCompression",
    "PixelIntensityRelationship",
)
MAX_AGE_YEARS: Final = 90  # HIPAA Safe Harbor: ages above 89 are one group

_YEARS: Final = {"Y": 1.0, "M": 1 / 12, "W": 7 / 365.25, "D": 1 / 365.25}
_SPACING_MM: Final = (0.03, 0.25)  # detectors have 0.05 to 0.1, digitized film 0.04 to 0.2
_SPACING_RATIO: Final = 0.01
_TOMOSYNTHESIS: Final = {"TOMOSYNTHESIS", "TOMO_PROJ"}
_CONTRAST: Final = {"ADDITION", "SUBTRACTION", "LOW_ENERGY", "HIGH_ENERGY", "POST_CONTRAST"}
_BIOPSY: Final = ("STEREO", "PREFIRE", "POSTFIRE", "POSTBIOPSY", "POSTMARKER")
_YES_NO: Final = {"YES": True, "NO": False}


def read_tags(dataset: Dataset, meta: FileMeta, pixel_format: PixelFormat) -> ImageTags:
    """What the header says of the image; RejectError(HEADER) without SOP Instance UID."""
    instance = text(dataset, "SOPInstanceUID") or meta.sop_instance_uid
    if not instance:
        raise RejectError(Reason.HEADER, "the header has no SOP Instance UID to name the image by")
    sop_class = class_uid(dataset, meta)
    series = text(dataset, "SeriesInstanceUID")
    study = text(dataset, "StudyInstanceUID")
    view, modifiers, _ = find_view(dataset)
    return ImageTags(
        sop_instance_uid=instance,
        study_instance_uid=study,
        series_instance_uid=series,
        sop_class_uid=sop_class,
        patient_id=text(dataset, "PatientID") or study or series or instance,
        exam_id=text(dataset, "AccessionNumber") or study,
        laterality=find_laterality(dataset).side,
        view=view,
        view_modifiers=modifiers,
        implant=_implant(dataset, modifiers),
        intent=object_kind.intent(dataset, sop_class),
        manufacturer=text(dataset, "Manufacturer"),
        model_name=text(dataset, "ManufacturerModelName"),
        modality=text(dataset, "Modality").upper(),
        age_years=parse_age(text(dataset, "PatientAge")),
        rows=pixel_format.rows,
        columns=pixel_format.columns,
        bits_allocated=pixel_format.bits_allocated,
        bits_stored=pixel_format.bits_stored,
        high_bit=pixel_format.high_bit,
        signed=pixel_format.signed,
        photometric=object_kind.photometric(dataset),
        transfer_syntax_uid=meta.transfer_syntax_uid,
        spacing_mm=_spacing(dataset),
        chest_side=find_chest_side(dataset),
        intensity=_intensity(dataset),
    )


def class_uid(dataset: Dataset, meta: FileMeta) -> str:
    """The SOP class, from the data set or else from the file meta information."""
    return text(dataset, "SOPClassUID") or meta.sop_class_uid


def check_tags(dataset: Dataset, tags: ImageTags) -> tuple[Flag, ...]:
    """What is odd about the image by its tags, or needs care."""
    secondary = is_secondary_capture(tags.sop_class_uid)
    mammography = tags.sop_class_uid in {MAMMOGRAPHY, MAMMOGRAPHY_PROCESSING, *MULTIFRAME_CLASSES}
    laterality = find_laterality(dataset)
    displaced = IMPLANT_DISPLACED in tags.view_modifiers
    found = {
        Flag.LATERALITY_CONFLICT: laterality.conflict,
        Flag.VIEW_CONFLICT: find_view(dataset)[2] or (displaced and tags.implant is False),
        Flag.LATERALITY_INFERRED: laterality.inferred,
        Flag.NO_LATERALITY: not tags.laterality,
        Flag.NO_VIEW: not tags.view,
        Flag.SECONDARY_CAPTURE: secondary,
        Flag.NOT_MG: not (secondary or mammography),
        Flag.FOR_PROCESSING: tags.intent == "processing",
        **_kinds(dataset),
        Flag.SPOT: "spot" in tags.view_modifiers,
        Flag.MAGNIFICATION: "magnification" in tags.view_modifiers,
        Flag.LOSSY_HISTORY: text(dataset, "LossyImageCompression") == "01",
        Flag.BURNED_IN: _says_yes(dataset, "BurnedInAnnotation"),
        Flag.IMPLANT: tags.implant is True,
        Flag.QUALITY_CONTROL: _says_yes(dataset, "QualityControlImage"),  # a phantom, PS3.3 C.7.6.1
        Flag.PARTIAL_VIEW: _says_yes(dataset, "PartialView"),
    }
    return tuple(flag for flag, present in found.items() if present)


def _kinds(dataset: Dataset) -> dict[Flag, bool]:
    """What Image Type tells of a mammogram other than a plain one. PS3.3 C.8.11.7.1.4."""
    kinds = {part.upper() for part in texts(dataset, "ImageType")[2:]}
    synthetic = "GENERATED_2D" in kinds
    return {
        Flag.SYNTHETIC_2D: synthetic,
        Flag.TOMOSYNTHESIS: bool(kinds & _TOMOSYNTHESIS) and not synthetic,
        Flag.CONTRAST: bool(kinds & _CONTRAST),
        Flag.BIOPSY: any(kind.startswith(_BIOPSY) for kind in kinds),
    }


def _says_yes(dataset: Dataset, name: str) -> bool:
    return text(dataset, name).upper() == "YES"


def parse_age(age: str) -> int | None:
    """Whole years of an age string such as "045Y" or "540M", at most 90; None for none or zero.

    Zero years stand for "removed" in de-identified archives. PS3.5 6.2, AS.
    """
    match = re.fullmatch(r"(\d{1,3})([YMWD])", age.upper())
    if match is None or int(match[1]) == 0:
        return None
    return min(MAX_AGE_YEARS, int(int(match[1]) * _YEARS[match[2]] + 1e-9))


def _implant(dataset: Dataset, modifiers: tuple[str, ...]) -> bool | None:
    """Whether there is an implant: as tagged, or because the view says that it was displaced."""
    tagged = _YES_NO.get(text(dataset, "BreastImplantPresent").upper())
    return True if tagged is None and IMPLANT_DISPLACED in modifiers else tagged


def _intensity(dataset: Dataset) -> str:
    """How values relate to the beam: "LIN", "LOG", "DISP" or ""; not applied. C.8.11.3.1.2."""
    value = text(dataset, "PixelIntensityRelationship").upper()
    return value if value in ("LIN", "LOG", "DISP") else ""


def _spacing(dataset: Dataset) -> tuple[float, float] | None:
    """(row, column) spacing in mm of the first tag with a believable value. PS3.3 10.7.1.1."""
    for name in ("ImagerPixelSpacing", "PixelSpacing", "NominalScannedPixelSpacing"):
        values = numbers(dataset, name)
        if len(values) == 2 and all(map(_believable, values)):
            row, column = values
            if abs(row / column - 1) <= _SPACING_RATIO:
                return row, column
    return None


def _believable(spacing_mm: float) -> bool:
    low, high = _SPACING_MM
    return math.isfinite(spacing_mm) and low <= spacing_mm <= high
