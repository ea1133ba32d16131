"""Which breast: the order of trust, what is inferred, and what contradicts."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydicom.sr._snomed_dict import mapping
from pydicom.sr.codedict import codes

from dali_pipelines.dicom import laterality_view
from dali_pipelines.dicom.image import ReadOptions, read_image
from dali_pipelines.records import ImageRecord
from dali_pipelines.storage.archive import Source

Read = Callable[..., ImageRecord]


def coded(value: str, scheme: str = "SCT") -> dict[str, str]:
    return {"CodeValue": value, "CodingSchemeDesignator": scheme}


@pytest.mark.parametrize(
    ("image", "frame", "series", "side", "conflict"),
    [
        ("L", None, None, "L", False),
        ("R", None, "R", "R", False),
        ("R", None, "L", "R", True),
        (None, "L", "R", "L", True),
        (None, None, "R", "R", False),
        ("", None, "L", "L", False),
        ("B", None, None, "B", False),
        ("left", None, None, "L", False),
        ("Right ", None, "R", "R", False),
        ("U", None, "L", "L", False),
        (None, None, None, "", False),
        ("x", None, None, "", False),
    ],
)
def test_laterality_in_order_of_trust(
    new_dicom: Any,
    read_dicom: Read,
    image: str | None,
    frame: str | None,
    series: str | None,
    side: str,
    conflict: bool,
) -> None:
    for nested in (False, True):
        file = new_dicom(ImageLaterality=image, Laterality=series)
        if nested and frame is not None:
            anatomy = [{"FrameLaterality": frame}]
            file.tags["SharedFunctionalGroupsSequence"] = [{"FrameAnatomySequence": anatomy}]
        else:
            file.tags["FrameLaterality"] = frame
        record = read_dicom(file)
        assert record.tags.laterality == side
        assert ("laterality_conflict" in record.flags) is conflict
        assert ("no_laterality" in record.flags) is (side == "")


NOTHING = {"ImageLaterality": None, "Laterality": None}


@pytest.mark.parametrize(
    ("orientation", "side", "chest"),
    [
        ("A\\R", "L", "left"),  # CC
        ("P\\L", "R", "right"),
        ("A\\FR", "L", "left"),  # MLO
        ("P\\FL", "R", "right"),
        ("p\\fl", "R", "right"),
        ("A\\L", "R", "left"),  # a mirrored picture of the right breast
        ("A\\F", "", "left"),  # digitized film: nothing on the medial side
        ("A\\H", "", "left"),
        ("A\\HR", "", "left"),  # upside down: R is the lateral side
        ("R\\P", "", ""),  # a quarter turn
        ("L\\F", "", ""),
        ("A", "", "left"),
        ("A\\R\\F", "", "left"),
        ("\\R", "", ""),
        (None, "", ""),
    ],
)
def test_patient_orientation_is_the_last_resort(
    new_dicom: Any, read_dicom: Read, orientation: str | None, side: str, chest: str
) -> None:
    record = read_dicom(new_dicom(**NOTHING, PatientOrientation=orientation))
    assert (record.tags.laterality, record.tags.chest_side) == (side, chest)
    assert record.flags == (("laterality_inferred",) if side else ("no_laterality",))
    for stated in ("L", "R", "B"):
        record = read_dicom(new_dicom(ImageLaterality=stated, PatientOrientation=orientation))
        assert (record.tags.laterality, record.tags.chest_side) == (stated, chest)
        conflict = side not in ("", stated) and stated != "B"
        assert record.flags == (("laterality_conflict",) if conflict else ())


@pytest.mark.parametrize("code", ["399188001", "441555000"])  # SIO, ISO
@pytest.mark.parametrize("orientation", ["A\\FL", "P\\FR", "A\\R"])
def test_where_the_columns_run_laterally_the_orientation_suggests_no_side(
    new_dicom: Any, read_dicom: Read, code: str, orientation: str
) -> None:
    tags = {"PatientOrientation": orientation, "ViewCodeSequence": [coded(code)]}
    record = read_dicom(new_dicom(**NOTHING, **tags, ViewPosition=None))
    assert (record.tags.laterality, record.flags) == ("", ("no_laterality",))
    assert record.tags.chest_side == {"A": "left", "P": "right"}[orientation[0]]
    for side in ("L", "R"):
        record = read_dicom(new_dicom(ImageLaterality=side, **tags, ViewPosition=None))
        assert (record.tags.laterality, record.flags) == (side, ())


@pytest.mark.parametrize(
    ("position", "stated", "orientation", "side", "flags"),
    [
        ("RMLO", "L", None, "L", ("laterality_conflict",)),
        ("RMLO", "R", None, "R", ()),
        ("RMLO", "B", None, "B", ()),
        ("RMLO", None, None, "R", ("laterality_inferred",)),
        ("L CC ID", None, None, "L", ("laterality_inferred", "implant")),
        ("RMLO", None, "A\\FR", "R", ("laterality_conflict", "laterality_inferred")),
        ("RMLO", None, "P\\FL", "R", ("laterality_inferred",)),
        ("LM", None, None, "", ("no_laterality",)),  # the view of that name
        ("LML", "R", None, "R", ("laterality_conflict",)),
        ("R", "L", None, "L", ("no_view",)),  # no view, so no side of one
    ],
)
def test_a_side_before_the_view_counts(
    new_dicom: Any,
    read_dicom: Read,
    position: str,
    stated: str | None,
    orientation: str | None,
    side: str,
    flags: tuple[str, ...],
) -> None:
    tags = {"ViewPosition": position, "PatientOrientation": orientation}
    record = read_dicom(new_dicom(**{**NOTHING, "ImageLaterality": stated}, **tags))
    assert (record.tags.laterality, record.flags) == (side, flags)


LEFT, RIGHT, BOTH = coded("7771000"), coded("G-A100", "SRT"), coded("51440002")


@pytest.mark.parametrize(
    "place",
    [
        lambda code: {
            "PrimaryAnatomicStructureSequence": [
                {"PrimaryAnatomicStructureModifierSequence": [coded("1"), code]}
            ]
        },
        lambda code: {"PrimaryAnatomicStructureModifierSequence": [code]},
        lambda code: {"AnatomicRegionSequence": [{"AnatomicRegionModifierSequence": [code]}]},
        lambda code: {"AnatomicRegionModifierSequence": [code]},
    ],
)
def test_modifiers_of_the_anatomy_come_after_what_states_the_side(
    new_dicom: Any, read_dicom: Read, place: Any
) -> None:
    for code, side in ((LEFT, "L"), (RIGHT, "R"), (BOTH, "B"), (coded("66459002"), "")):
        record = read_dicom(new_dicom(**NOTHING, **place(code)))
        assert record.tags.laterality == side
        assert record.flags == (() if side else ("no_laterality",))
    record = read_dicom(new_dicom(**NOTHING, **place(RIGHT), PatientOrientation="A\\R"))
    assert (record.tags.laterality, record.flags) == ("R", ("laterality_conflict",))
    for series, conflict in (("L", ("laterality_conflict",)), ("R", ())):
        file = new_dicom(**{**NOTHING, "Laterality": series}, **place(RIGHT))
        record = read_dicom(file)
        assert (record.tags.laterality, record.flags) == (series, conflict)


def test_the_sides_are_those_of_the_standard() -> None:
    names = {"Left": "L", "Right": "R", "Bilateral": "B"}
    group = codes.cid244
    for name, side in names.items():
        value = getattr(group, name).value
        assert laterality_view._SIDE_CODES[value, mapping["SCT"][value]] == side


@pytest.mark.parametrize(
    ("name", "laterality", "view", "chest"),
    [
        ("GH133", "R", "MLO", "right"),
        ("OutOfBoundsOverlay", "L", "CC", ""),  # turned by a quarter
        ("MG1_J2KI", "L", "MLO", "left"),
        ("MG_Explicit_Little", "R", "CC", "right"),
    ],
)
def test_real_mammograms_agree_with_themselves(
    shared_data: Path, name: str, laterality: str, view: str, chest: str
) -> None:
    source = Source(str(shared_data / f"mammograms/{name}.dcm"))
    record = read_image(source, b"key of the tests", ReadOptions())
    tags = record.tags
    assert (tags.laterality, tags.view, tags.chest_side) == (laterality, view, chest)
    assert not {"laterality_conflict", "laterality_inferred"} & set(record.flags)
    assert ("biopsy" in record.flags) is (name == "OutOfBoundsOverlay")
