"""HeaderSpec -> pydicom Dataset: the attributes of one synthetic mammogram, without its pixels.

Every type 1 attribute of Digital Mammography X-Ray Image Storage - For Presentation is there
(PS3.3 A.27). Nothing depends on the clock, the host or the version of a library.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from dali_pipelines.errors import ConfigError
from dali_pipelines.phantom.encode import NATIVE, SYNTAXES
from dali_pipelines.records import VoiFunction, Window
from dali_pipelines.settings import closest

MG_FOR_PRESENTATION: Final = "1.2.840.10008.5.1.4.1.1.1.2"
SCREENING_DATE: Final = "20200102"
VIEW_CODES: Final = {  # SNOMED CT, PS3.16 CID 4014
    "CC": ("399162004", "cranio-caudal"),
    "MLO": ("399368009", "medio-lateral oblique"),
    "ML": ("399260004", "medio-lateral"),
    "LM": ("399352003", "latero-medial"),
}
_EXPLANATIONS = ("NORMAL", "HARDER", "SOFTER", "SHARPER")
_ROOT = uuid.UUID("6d616d6d-6f73-5472-8561-6d7068616e74")


def make_uid(text: str) -> str:
    """A UID below 2.25 that depends on `text` alone (PS3.5 B.2, name-based UUID)."""
    return f"2.25.{uuid.uuid5(_ROOT, text).int}"


@dataclass(frozen=True, slots=True)
class HeaderSpec:
    """What one file says of itself; the defaults make a valid left CC image.

    `precision` is Bits Stored; `stream_precision` what the codestream states, 0 for the same
    (vendors write 16 over 12). `predictor` and `tables_first` are those of `encode_frame`;
    `fragments` and `offset_table` shape the encapsulation. `windows` None is the identity of
    `precision` bits, () is no window. `padding` is the stored value of the background.
    `age_years` None leaves the age out. `changes` has the last word: DICOM keyword to
    value, None to remove the attribute.
    """

    syntax: str = "raw"
    precision: int = 12
    stream_precision: int = 0
    predictor: int = 1
    tables_first: bool = False
    fragments: int = 1
    offset_table: Literal["basic", "empty"] = "basic"
    photometric: str = "MONOCHROME2"
    windows: tuple[Window, ...] | None = None
    function: VoiFunction | None = None
    padding: int | None = None
    patient_id: str = "PHANTOM-0001"
    study_uid: str = make_uid("study")
    series_uid: str = make_uid("series")
    sop_uid: str = make_uid("image")
    laterality: str = "L"
    view: str = "CC"
    age_years: int | None = 57
    manufacturer: str = "Phantom A"
    model: str = "A-1"
    spacing_mm: float = 0.07
    changes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.syntax not in SYNTAXES:
            raise ConfigError(f"no syntax {self.syntax!r}.{closest(self.syntax, SYNTAXES)}")
        if not 1 <= self.precision <= 16:
            raise ConfigError(f"precision must be 1 to 16 bits, not {self.precision}")
        if self.fragments < 1 or (self.fragments > 1 and self.syntax in NATIVE):
            raise ConfigError(f"{self.syntax} cannot have {self.fragments} fragments")


def build_header(spec: HeaderSpec, shape: tuple[int, int]) -> Dataset:
    """The data set of an image of `shape` (H, W), with file meta information, without pixels."""
    header = Dataset()
    header.file_meta = _file_meta(spec)
    for part in (_patient(spec), _series(spec), _acquisition(spec), _image(spec, shape)):
        for keyword, value in part.items():
            setattr(header, keyword, value)
    for keyword, value in spec.changes.items():
        if value is not None:
            setattr(header, keyword, value)
        elif keyword in header:
            delattr(header, keyword)
    header.file_meta.MediaStorageSOPClassUID = header.get("SOPClassUID", MG_FOR_PRESENTATION)
    return header


def _file_meta(spec: HeaderSpec) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\x00\x01"
    meta.MediaStorageSOPInstanceUID = UID(spec.sop_uid)
    meta.TransferSyntaxUID = UID(SYNTAXES[spec.syntax])
    meta.ImplementationClassUID = UID(make_uid("implementation"))
    meta.ImplementationVersionName = "PHANTOM"
    return meta


def _patient(spec: HeaderSpec) -> dict[str, Any]:
    age = {} if spec.age_years is None else {"PatientAge": f"{spec.age_years:03d}Y"}
    return age | {
        "PatientName": f"Phantom^{spec.patient_id}",
        "PatientID": spec.patient_id,
        "PatientBirthDate": "",
        "PatientSex": "F",
        "StudyInstanceUID": spec.study_uid,
        "StudyDate": SCREENING_DATE,
        "StudyTime": "120000",
        "StudyID": "1",
        "AccessionNumber": "",
        "ReferringPhysicianName": "",
    }


def _series(spec: HeaderSpec) -> dict[str, Any]:
    return {
        "SOPClassUID": MG_FOR_PRESENTATION,
        "SOPInstanceUID": spec.sop_uid,
        "SeriesInstanceUID": spec.series_uid,
        "SeriesNumber": 1,
        "InstanceNumber": 1,
        "Modality": "MG",
        "PresentationIntentType": "FOR PRESENTATION",
        "Manufacturer": spec.manufacturer,
        "ManufacturerModelName": spec.model,
        "ContentDate": SCREENING_DATE,
        "ContentTime": "120000",
    }


def _acquisition(spec: HeaderSpec) -> dict[str, Any]:
    row = "A" if spec.laterality == "L" else "P"  # chest wall left in L images, right in R images
    down = "R" if spec.laterality == "L" else "L"
    tags = {
        "ImageType": ["ORIGINAL", "PRIMARY", ""],
        "BodyPartExamined": "BREAST",
        "OrganExposed": "BREAST",
        "ImageLaterality": spec.laterality,
        "ViewPosition": spec.view,
        "PatientOrientation": [row, down if spec.view == "CC" else f"F{down}"],
        "AnatomicRegionSequence": Sequence([_code("76752008", "Breast")]),
        "AcquisitionContextSequence": Sequence(),
        "PositionerType": "MAMMOGRAPHIC",
        "DetectorType": "DIRECT",
        "ImagerPixelSpacing": [f"{spec.spacing_mm:.6g}"] * 2,
        "BreastImplantPresent": "NO",
        "PartialView": "NO",
        "BurnedInAnnotation": "NO",
        "LossyImageCompression": "00",
    }
    if spec.view in VIEW_CODES:
        view = _code(*VIEW_CODES[spec.view])
        view.ViewModifierCodeSequence = Sequence()
        tags["ViewCodeSequence"] = Sequence([view])
    return tags


def _image(spec: HeaderSpec, shape: tuple[int, int]) -> dict[str, Any]:
    inverse = spec.photometric == "MONOCHROME1"
    tags: dict[str, Any] = {
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": spec.photometric,
        "Rows": shape[0],
        "Columns": shape[1],
        "BitsAllocated": 8 if spec.precision <= 8 else 16,
        "BitsStored": spec.precision,
        "HighBit": spec.precision - 1,
        "PixelRepresentation": 0,
        "PixelIntensityRelationship": "LOG",
        "PixelIntensityRelationshipSign": 1 if inverse else -1,
        "RescaleIntercept": "0",
        "RescaleSlope": "1",
        "RescaleType": "US",
        "PresentationLUTShape": "INVERSE" if inverse else "IDENTITY",
    }
    if spec.padding is not None:
        tags["PixelPaddingValue"] = spec.padding
    return tags | _voi(spec)


def _voi(spec: HeaderSpec) -> dict[str, Any]:
    windows = spec.windows
    if windows is None:
        windows = (Window(1 << (spec.precision - 1), 1 << spec.precision),)
    tags: dict[str, Any] = {}
    if windows:
        tags["WindowCenter"] = [f"{window.center:.10g}" for window in windows]
        tags["WindowWidth"] = [f"{window.width:.10g}" for window in windows]
    if 1 < len(windows) <= len(_EXPLANATIONS):
        tags["WindowCenterWidthExplanation"] = list(_EXPLANATIONS[: len(windows)])
    if spec.function is not None:
        tags["VOILUTFunction"] = spec.function
    return tags


def _code(value: str, meaning: str) -> Dataset:
    code = Dataset()
    code.CodeValue = value
    code.CodingSchemeDesignator = "SCT"
    code.CodeMeaning = meaning
    return code
