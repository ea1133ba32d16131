"""Which breast an image shows and from where: from codes first, then from text.

PS3.16 CID 4014 (views) and CID 4015 (modifiers); PS3.3 C.8.11.3 for laterality. Codes are accepted
in SNOMED CT and in the older SNOMED RT form, which files call SRT, SNM3 or 99SDM.
"""

import re
from typing import Final

from pydicom.dataset import Dataset

from dali_pipelines.dicom.tag_values import items, text

TAGS: Final = (
    "ImageLaterality",
    "FrameLaterality",
    "Laterality",
    "SharedFunctionalGroupsSequence",
    "ViewPosition",
    "ViewCodeSequence",
    "ViewModifierCodeSequence",
)
IMPLANT_DISPLACED: Final = "ID"
SIDES: Final = {"L": "L", "LEFT": "L", "R": "R", "RIGHT": "R", "B": "B", "BOTH": "B"}

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
_VIEW_OF_CODE: Final = {code: name for codes, name in _VIEWS.items() for code in codes}
_MODIFIER_OF_CODE: Final = {code: name for codes, name in _MODIFIERS.items() for code in codes}
_MEANT: Final = {  # texts of ACR's list that are less exact than the codes, or are modifiers there
    "XCC": ("XCCL", "XCCM"),
    "AT": ("MLO", "XCCL"),
    "CV": ("CC",),
}
_TEXT_VIEWS: Final = {*_VIEWS.values(), "XCC", "AT", "CV"} - {"SPECIMEN"}


def find_laterality(dataset: Dataset) -> tuple[str, bool]:
    """The side, "L", "R", "B" or "", and whether the tags that give one contradict each other.

    Order of trust: Image Laterality, Frame Laterality, Laterality (of the series).
    """
    stated = [text(dataset, "ImageLaterality"), text(dataset, "FrameLaterality")]
    for group in items(dataset, "SharedFunctionalGroupsSequence"):
        stated += [text(part, "FrameLaterality") for part in items(group, "FrameAnatomySequence")]
    stated.append(text(dataset, "Laterality"))
    sides = [SIDES[side.upper()] for side in stated if side.upper() in SIDES]
    return (sides[0] if sides else "", len(set(sides)) > 1)


def find_view(dataset: Dataset) -> tuple[str, tuple[str, ...], bool]:
    """The view, such as "CC" or "MLO", "" if unknown; its modifiers, such as "spot"; any conflict.

    The last is whether code and text name different views; the code is believed.
    """
    view, modifiers = "", []
    for item in items(dataset, "ViewCodeSequence"):
        view = view or _named(item, _VIEW_OF_CODE)
        modifiers += _modifiers(item)
    modifiers += _modifiers(dataset)
    text_view, text_modifier = parse_view(text(dataset, "ViewPosition"))
    if text_modifier and view in ("", text_view):
        modifiers.append(text_modifier)
    conflict = "" not in (view, text_view) and view not in _MEANT.get(text_view, (text_view,))
    return view or text_view, tuple(dict.fromkeys(modifiers)), conflict


def parse_view(position: str) -> tuple[str, str]:
    """(view, modifier) of a View Position text: "MLOID" is MLO with the implant displaced.

    A side before the view, as in "RMLO", is left out. ("", "") for what is no mammographic view.
    """
    letters = re.sub("[^A-Z]", "", position.upper())
    for start in (letters, letters[1:] if letters[:1] in ("L", "R") else ""):
        if start in _TEXT_VIEWS:
            return start, ""
        if start.endswith(IMPLANT_DISPLACED) and start[:-2] in _TEXT_VIEWS:
            return start[:-2], IMPLANT_DISPLACED
    return "", ""


def _modifiers(item: Dataset) -> list[str]:
    named = (_named(part, _MODIFIER_OF_CODE) for part in items(item, "ViewModifierCodeSequence"))
    return [name for name in named if name]


def _named(item: Dataset, names: dict[str, str]) -> str:
    """Our name of a coded concept, "" if it is none of `names`."""
    scheme = text(item, "CodingSchemeDesignator").upper()
    return names.get(text(item, "CodeValue"), "") if scheme in _SCHEMES else ""
