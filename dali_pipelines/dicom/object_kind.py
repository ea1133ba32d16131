"""Whether an object is of the kind that is taken: gray projection images, meant for viewing.

Looks at SOP class, intent, frames and color; everything else is skipped with its reason. PS3.3
A.26, A.27; PS3.4 annex B.
"""

from typing import Final

from pydicom.dataset import Dataset

from dali_pipelines.dicom.tag_values import integers, raw_element, text
from dali_pipelines.dicom.uids import (
    MAMMOGRAM_CLASSES,
    MULTIFRAME_CLASSES,
    PROCESSING_CLASSES,
    is_not_an_image,
    is_secondary_capture,
)
from dali_pipelines.verdicts import Reason, RejectError

TAGS: Final = (
    "SOPClassUID",
    "PresentationIntentType",
    "NumberOfFrames",
    "SamplesPerPixel",
    "PhotometricInterpretation",
)

_INTENTS: Final = {"FOR PRESENTATION": "presentation", "FOR PROCESSING": "processing"}
_GRAY: Final = ("MONOCHROME1", "MONOCHROME2")
_COLOR: Final = ("PALETTE COLOR", "RGB", "HSV", "ARGB", "CMYK", "XYB")


def intent(dataset: Dataset, sop_class_uid: str) -> str:
    """What the image is for: "presentation", "processing" or "" where nothing says so.

    The class settles what it can: raw detector data do not become viewable by a tag.
    """
    if sop_class_uid in PROCESSING_CLASSES:
        return "processing"
    tagged = _INTENTS.get(text(dataset, "PresentationIntentType").upper(), "")
    return tagged or ("presentation" if f"{sop_class_uid}.1" in PROCESSING_CLASSES else "")


def photometric(dataset: Dataset) -> str:
    """The photometric interpretation: "MONOCHROME1", "MONOCHROME2" or something else."""
    return text(dataset, "PhotometricInterpretation").upper()


def require_projection(
    dataset: Dataset, sop_class_uid: str, *, accept_processing: bool, accept_frames: bool
) -> None:
    """Raise RejectError for an object that is no image of the wanted intent, or of several frames.

    NOT_AN_IMAGE, MULTIFRAME, FOR_PROCESSING; FRAMES where the number of frames is none.
    """
    if is_not_an_image(sop_class_uid):
        raise RejectError(
            Reason.NOT_AN_IMAGE, "the object is a report, a presentation state or the like"
        )
    if not accept_frames:
        _require_one_frame(dataset, sop_class_uid)
    if intent(dataset, sop_class_uid) == "processing" and not accept_processing:
        raise RejectError(
            Reason.FOR_PROCESSING, "the image is raw detector data, not meant for viewing"
        )


def require_radiograph(dataset: Dataset, sop_class_uid: str) -> None:
    """Raise RejectError(NOT_MAMMOGRAPHY) for an image whose class is that of another modality.

    Mammograms also come as digital X-ray, computed radiography and Secondary Capture. Objects that
    are no image at all are not judged here, and nor are images of an unknown class.
    """
    is_other_image = raw_element(dataset, "Rows") is not None and bool(sop_class_uid)
    known = sop_class_uid in MAMMOGRAM_CLASSES or is_secondary_capture(sop_class_uid)
    handled = sop_class_uid in MULTIFRAME_CLASSES or is_not_an_image(sop_class_uid)
    if is_other_image and not known and not handled:
        raise RejectError(
            Reason.NOT_MAMMOGRAPHY,
            "the image is of a class for another modality than mammography or radiography",
        )


def require_gray(dataset: Dataset) -> None:
    """Raise RejectError(COLOR) for a color image, HEADER where polarity cannot be known."""
    samples = integers(dataset, "SamplesPerPixel") or [1]
    kind = photometric(dataset)
    if samples[0] > 1 or kind in _COLOR or kind.startswith("YBR"):
        raise RejectError(Reason.COLOR, "the image is in color; only gray ones are taken")
    if kind not in _GRAY or samples[0] != 1:
        raise RejectError(
            Reason.HEADER,
            "an image must be MONOCHROME1 or MONOCHROME2, with one sample per pixel",
        )


def number_of_frames(dataset: Dataset) -> int:
    """What Number of Frames says, 1 where it is absent; RejectError(FRAMES) if it is no number."""
    if raw_element(dataset, "NumberOfFrames") is None:
        return 1
    frames = integers(dataset, "NumberOfFrames")
    if len(frames) != 1 or frames[0] < 1:
        raise RejectError(Reason.FRAMES, "Number of Frames must be one whole number from 1 on")
    return frames[0]


def _require_one_frame(dataset: Dataset, sop_class_uid: str) -> None:
    if sop_class_uid in MULTIFRAME_CLASSES:
        raise RejectError(Reason.MULTIFRAME, "the object is a tomosynthesis or projection series")
    frames = number_of_frames(dataset)
    if frames > 1:
        raise RejectError(
            Reason.MULTIFRAME,
            f"the object has {frames} frames; --frames says which of them are taken",
        )
