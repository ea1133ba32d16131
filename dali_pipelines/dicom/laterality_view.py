"""Which breast an image shows and from where: what is stated first, then what can be inferred.

PS3.16 CID 244 (sides), CID 4014 (views) and CID 4015 (modifiers); PS3.3 C.8.11.7 for laterality,
C.7.6.1.1.1 for orientation. Codes are accepted in SNOMED CT and in the older SNOMED RT form, which
files call SRT, SNM3 or 99SDM.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from pydicom.dataset import Dataset

from dali_pipelines.dicom.tag_values import items, text, texts
from dali_pipelines.records import IMPLANT_DISPLACED

TAGS: Final = (
    "ImageLaterality",
    "FrameLaterality",
    "Laterality",
    "AnatomicRegionSequence",
    "AnatomicRegionModifierSequence",
    "PrimaryAnatomicStructureSequence",
    "PrimaryAnatomicStructureModifierSequence",
    "PatientOrientation",
    "ViewPosition",
    "ViewCodeSequence",
    "ViewModifierCodeSequence",
)
SIDES: Final = {"L": "L", "LEFT": "L", "R": "R", "RIGHT": "R", "B": "B", "BOTH": "B"}

_SIDE_CODES: Final = {  # CID 244
    ("7771000", "G-A101"): "L",
    ("24028007", "G-A100"): "R",
    ("51440002", "G-A102"): "B",
}
_ANATOMY: Final = {  # each sequence of structures, and that of the modifiers of one. PS3.3 10.5
    "PrimaryAnatomicStructureSequence": "PrimaryAnatomicStructureModifierSequence",
    "AnatomicRegionSequence": "AnatomicRegionModifierSequence",
}
_MEDIAL: Final = re.compile("F?([LR])F?")  # down the columns, upright: medial, and foot if oblique
_CHEST_SIDES: Final[dict[str, Literal["left", "right"]]] = {"A": "left", "P": "right"}
_SCHEMES: Final = ("SCT", "SRT", "SNM3", "99SDM")
_VIEWS: Final = {  # CID 4014: SNOMED CT code, SNOMED RT code, our name
    ("399162004", "R-10242"): "CC",
    ("399368009", "R-10226"): "MLO",
    ("399260004", "R-10224"): "ML",
    ("399352003", "R-10228"): "LM",
    ("399099002", "R-10230"): "LMO",
    ("399192008", "R-1024A"): "XCCL",
    ("399101009", "R-1024B"): "XCCM",
    ("399196006", "R-10244"): "FB",
    ("399188001", "R-102D0"): "SIO",
    ("441555000", "R-40AAA"): "ISO",
    ("127457009", "G-8310"): "SPECIMEN",
}
_MODIFIERS: Final = {  # CID 4015
    ("399055006", "R-102D7"): "spot",
    ("399163009", "R-102D6"): "magnification",
    ("399209000", "R-102D5"): IMPLANT_DISPLACED,
    ("399161006", "R-102D2"): "cleavage",
    ("399011000", "R-102D1"): "axillary_tail",
    ("399110001", "R-102C2"): "tangential",
    ("399197002", "R-102D3"): "rolled_lateral",
    ("399226006", "R-102D4"): "rolled_medial",
    ("414493004", "R-102CA"): "rolled_inferior",
    ("415670009", "R-102C9"): "rolled_superior",
    ("442581004", "R-40AB3"): "nipple_in_profile",
    ("441752004", "P2-00161"): "anterior_compression",
    ("442593008", "R-40ABE"): "inframammary_fold",
    ("442580003", "R-40AB2"): "axillary_tissue",
}
_SIDE_OF_CODE: Final = {code: name for codes, name in _SIDE_CODES.items() for code in codes}
_VIEW_OF_CODE: Final = {code: name for codes, name in _VIEWS.items() for code in codes}
_MODIFIER_OF_CODE: Final = {code: name for codes, name in _MODIFIERS.items() for code in codes}
_MEANT: Final = {  # texts of ACR's list that are less exact than the codes, or are modifiers there
    "XCC": ("XCCL", "XCCM"),
    "AT": ("MLO", "XCCL"),
    "CV": ("CC",),
}
# The beam of these runs along the oblique that leads down to the lateral side (a left one is A\FL,
# a right one P\FR), so the columns do not tell the medial side.
_LATERAL_VIEWS: Final = ("SIO", "ISO")
_TEXT_VIEWS: Final = {*_VIEWS.values(), "XCC", "AT", "CV"} - {"SPECIMEN"}


@dataclass(frozen=True, slots=True)
class Laterality:
    """The `side`, "L", "R", "B" or "" if unknown.

    `inferred`: no tag of its own names it, View Position or Patient Orientation suggests it.
    `conflict`: two sources disagree; the more trusted one is believed.
    """

    side: str
    inferred: bool
    conflict: bool


def find_laterality(dataset: Dataset) -> Laterality:
    """The side, by the most trusted source that has one.

    Order of trust: Image Laterality, Frame Laterality, Laterality (of the series), the modifiers of
    the Primary Anatomic Structure and of the Anatomic Region, a side before the view in View
    Position ("RMLO"), Patient Orientation.
    """
    stated = [text(dataset, name) for name in ("ImageLaterality", "FrameLaterality", "Laterality")]
    sides = [SIDES[side.upper()] for side in stated if side.upper() in SIDES]
    sides += _modifier_sides(dataset)
    written = _split_position(text(dataset, "ViewPosition"))[0]
    suggested = [side for side in (written, _orientation_side(dataset)) if side]
    side = next(iter(sides + suggested), "")
    differ = side != "B" and any(other != side for other in suggested)
    return Laterality(
        side=side,
        inferred=not sides and bool(suggested),
        conflict=len(set(sides)) > 1 or differ,
    )


def find_chest_side(dataset: Dataset) -> Literal["left", "right", ""]:
    """The edge of the picture at which Patient Orientation has the chest wall, "" if at neither.

    Its first value says where the rows run: towards the nipple (A) or towards the chest wall (P).
    """
    along_rows = text(dataset, "PatientOrientation").upper()
    return _CHEST_SIDES.get(along_rows[:1], "")


def _orientation_side(dataset: Dataset) -> str:
    r"""The side that Patient Orientation suggests, "" if none: as in A\R, A\FR (left), P\L (right).

    Images are hung with the chest wall upright and the lateral side up, so the columns run to the
    medial side: in a left breast to the patient's right. A picture that was turned by 180 degrees
    looks like one of the other breast, hence the last place in the order of trust. In SIO and ISO
    the columns run the other way, so there it suggests nothing.
    """
    values = [value.upper() for value in texts(dataset, "PatientOrientation")]
    if len(values) != 2 or not find_chest_side(dataset):
        return ""
    if find_view(dataset)[0] in _LATERAL_VIEWS:
        return ""
    medial = _MEDIAL.fullmatch(values[1])
    return {"R": "L", "L": "R"}[medial[1]] if medial else ""


def _modifier_sides(dataset: Dataset) -> Iterator[str]:
    """The sides that modifiers of the anatomy name, inside the structure's item or beside it."""
    for structures, modifiers in _ANATOMY.items():
        for place in (*items(dataset, structures), dataset):
            for item in items(place, modifiers):
                side = _named(item, _SIDE_OF_CODE)
                if side:
                    yield side


def find_view(dataset: Dataset) -> tuple[str, tuple[str, ...], bool]:
    """The view, such as "CC" or "MLO", "" if unknown; its modifiers, such as "spot"; any conflict.

    Order of trust: View Code Sequence, View Position. The last is whether they name different
    views; the first code is believed. Modifiers are those inside the code, beside it and in the
    text, where the text names no other view.
    """
    views, modifiers = [], []
    for item in items(dataset, "ViewCodeSequence"):
        views.append(_named(item, _VIEW_OF_CODE))
        modifiers += _modifiers(item)
    modifiers += _modifiers(dataset)
    view = next(filter(None, views), "")
    text_view, text_modifier = parse_view(text(dataset, "ViewPosition"))
    if text_modifier and view in ("", text_view):
        modifiers.append(text_modifier)
    differ = "" not in (view, text_view) and view not in _MEANT.get(text_view, (text_view,))
    conflict = differ or len(set(filter(None, views))) > 1
    return view or text_view, tuple(dict.fromkeys(modifiers)), conflict


def parse_view(position: str) -> tuple[str, str]:
    """(view, modifier) of a View Position text: "MLOID" is MLO with the implant displaced.

    A side before the view, as in "RMLO", is left out. ("", "") for what is no mammographic view.
    """
    return _split_position(position)[1:]


def _split_position(position: str) -> tuple[str, str, str]:
    """(side, view, modifier) of a View Position text, each "" where it names none."""
    letters = re.sub("[^A-Z]", "", position.upper())
    for side in ("", *(letters[:1] if letters[:1] in ("L", "R") else "")):
        view = letters.removeprefix(side)
        if view in _TEXT_VIEWS:
            return side, view, ""
        if view.endswith(IMPLANT_DISPLACED) and view[:-2] in _TEXT_VIEWS:
            return side, view[:-2], IMPLANT_DISPLACED
    return "", "", ""


def _modifiers(item: Dataset) -> list[str]:
    named = (_named(part, _MODIFIER_OF_CODE) for part in items(item, "ViewModifierCodeSequence"))
    return [name for name in named if name]


def _named(item: Dataset, names: dict[str, str]) -> str:
    """Our name of a coded concept, "" if it is none of `names`."""
    scheme = text(item, "CodingSchemeDesignator").upper()
    return names.get(text(item, "CodeValue"), "") if scheme in _SCHEMES else ""
