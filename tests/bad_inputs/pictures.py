"""Pictures without content, images that need care, and the same image twice."""

from pathlib import Path

import numpy as np

from dali_pipelines.phantom.header import make_uid
from dali_pipelines.verdicts import Flag, Reason
from tests.bad_inputs.case import Build, Case
from tests.bad_inputs.sound import COLUMNS, ROWS, sound_file, sound_values, spoiled, tagged
from tests.dicom_file import DicomFile

_CC = {"CodeValue": "399162004", "CodingSchemeDesignator": "SCT"}
_NO_WINDOW = {"WindowCenter": None, "WindowWidth": None}
_NO_SIDE = {"ImageLaterality": None}
_STORAGE = "1.2.840.10008.5.1.4.1.1."


def _modified(code: str) -> list[dict[str, object]]:
    """A CC view with that modifier of PS3.16 CID 4015."""
    modifier = {"CodeValue": code, "CodingSchemeDesignator": "SRT"}
    return [_CC | {"ViewModifierCodeSequence": [modifier]}]


def _picture(values: np.ndarray, **tags: object) -> Build:
    def spoil(file: DicomFile) -> None:
        file.pixels = values.astype("<u2").tobytes()

    rows, columns = values.shape
    return spoiled(spoil, Rows=rows, Columns=columns, **tags)


def _flat(value: int) -> np.ndarray:
    return np.full((ROWS, COLUMNS), value)


def _two(same_uid: bool, same_pixels: bool) -> Build:
    """Two files, alike in their SOP Instance UID, in their pixels, or in both."""

    def build(folder: Path) -> list[Path]:
        paths = []
        for k in (1, 2):
            file = sound_file(folder)
            if not same_uid:
                file.tags["SOPInstanceUID"] = make_uid(f"{folder.name} {k}")
            if not same_pixels:
                file.pixels = sound_values(seed=k).astype("<u2").tobytes()
            paths.append(file.write(folder / f"{k}.dcm"))
        return paths

    return build


CASES = [
    # The scan decodes no pixel: what only pixels show is no matter of the manifest. The tensor is
    # finite, which is what min-max code gets wrong.
    Case("all_black", _picture(_flat(0)), (), row=57),
    Case("constant", _picture(_flat(2000)), (), row=57),
    Case(
        "constant_unwindowed",
        _picture(_flat(2000), **_NO_WINDOW),
        (Flag.VOI_ABSENT,),
        row=57,
    ),
    Case("no_breast", _picture(np.pad([[4000]], ((0, ROWS - 1), (0, COLUMNS - 1)))), (), row=58),
    Case("saturated", _picture(_flat(4095)), (), row=59),
    *(
        Case(flag.value, tagged(**tags), (flag,), row=row)
        for flag, row, tags in (
            (Flag.IMPLANT, 60, {"BreastImplantPresent": "YES"}),
            (Flag.QUALITY_CONTROL, 60, {"QualityControlImage": "YES"}),
            (Flag.PARTIAL_VIEW, 60, {"PartialView": "YES"}),
            (Flag.SYNTHETIC_2D, 60, {"ImageType": "DERIVED\\PRIMARY\\TOMOSYNTHESIS\\GENERATED_2D"}),
            (Flag.TOMOSYNTHESIS, 60, {"ImageType": "ORIGINAL\\PRIMARY\\TOMO_PROJ"}),
            (Flag.CONTRAST, 60, {"ImageType": "DERIVED\\PRIMARY\\SUBTRACTION"}),
            (Flag.BIOPSY, 60, {"ImageType": "ORIGINAL\\PRIMARY\\STEREO_SCOUT"}),
            (Flag.MAGNIFICATION, 60, {"ViewCodeSequence": _modified("R-102D6")}),
            (Flag.SPOT, 60, {"ViewCodeSequence": _modified("R-102D7")}),
            (Flag.SECONDARY_CAPTURE, 60, {"SOPClassUID": f"{_STORAGE}7"}),
            (Flag.NOT_MG, 60, {"SOPClassUID": f"{_STORAGE}1.1"}),
            (Flag.LOSSY_HISTORY, 60, {"LossyImageCompression": "01"}),
            (Flag.BURNED_IN, 61, {"BurnedInAnnotation": "YES"}),
            (Flag.LATERALITY_CONFLICT, 62, {"Laterality": "R"}),
            (Flag.LATERALITY_INFERRED, 62, {**_NO_SIDE, "PatientOrientation": "A\\R"}),
            (Flag.NO_LATERALITY, 62, _NO_SIDE),
            (Flag.VIEW_CONFLICT, 62, {"ViewPosition": "MLO", "ViewCodeSequence": [_CC]}),
            (Flag.NO_VIEW, 62, {"ViewPosition": None}),
        )
    ),
    Case(
        "for_processing_accepted",
        tagged(SOPClassUID=f"{_STORAGE}1.2.1", **_NO_WINDOW),
        (Flag.FOR_PROCESSING, Flag.VOI_ABSENT),
        row=63,
        options={"accept_processing": True},
    ),
    Case("one_pixel_image", _picture(np.array([[7]])), (), row=64),
    Case("thin", _picture(np.arange(3000)[None]), (), row=64),
    Case("spacing_not_square", tagged(ImagerPixelSpacing="0.07\\0.14"), (), row=65),
    Case(
        "duplicate",
        _two(same_uid=True, same_pixels=True),
        Reason.DUPLICATE,
        "the same codestream as image",
        66,
        images=1,
    ),
    Case(
        "duplicate_conflict",
        _two(same_uid=True, same_pixels=False),
        Reason.DUPLICATE_CONFLICT,
        "which was kept, but not its codestream",
        67,
        images=1,
    ),
    # Two names for one picture are the inventory's business ("images with the pixels of another").
    Case("same_pixels", _two(same_uid=False, same_pixels=True), (), row=68, count=2),
]
