from collections.abc import Callable
from typing import Any

import pytest
from pydicom.sr._cid_dict import cid_concepts
from pydicom.sr._snomed_dict import mapping
from pydicom.sr.codedict import codes

from dali_pipelines.dicom import laterality_view
from dali_pipelines.dicom.laterality_view import parse_view
from dali_pipelines.records import ImageRecord

Read = Callable[..., ImageRecord]


def coded(value: str, scheme: str = "SCT", **more: Any) -> dict[str, Any]:
    return {"CodeValue": value, "CodingSchemeDesignator": scheme, **more}


@pytest.mark.parametrize(
    ("cid", "table"), [(4014, laterality_view._VIEWS), (4015, laterality_view._MODIFIERS)]
)
def test_the_tables_are_those_of_the_standard(cid: int, table: dict[tuple[str, str], str]) -> None:
    group = getattr(codes, f"cid{cid}")
    values = {getattr(group, name).value for name in cid_concepts[cid]["SCT"]}
    assert {(value, mapping["SCT"][value]) for value in values} == set(table)


@pytest.mark.parametrize(
    ("code", "view"),
    [
        (coded("399162004"), "CC"),
        (coded("R-10242", "SRT"), "CC"),
        (coded("R-10226", "SNM3"), "MLO"),
        (coded("R-10224", "99SDM"), "ML"),
        (coded("399192008"), "XCCL"),
        (coded("399101009"), "XCCM"),
        (coded("399352003"), "LM"),
        (coded("R-10230", "SRT"), "LMO"),
        (coded("399196006"), "FB"),
        (coded("R-10242", "99LOCAL"), ""),
        (coded("12345"), ""),
        ({}, ""),
    ],
)
def test_views_by_code(new_dicom: Any, read_dicom: Read, code: dict[str, Any], view: str) -> None:
    record = read_dicom(new_dicom(ViewCodeSequence=[code], ViewPosition=None))
    assert record.tags.view == view
    assert ("no_view" in record.flags) is (view == "")


def test_two_codes_that_differ_are_a_conflict(new_dicom: Any, read_dicom: Read) -> None:
    codes = [coded("12345"), coded("399368009"), coded("399162004")]
    record = read_dicom(new_dicom(ViewCodeSequence=codes, ViewPosition=None))
    assert (record.tags.view, record.flags) == ("MLO", ("view_conflict",))


def test_a_code_beats_the_text(new_dicom: Any, read_dicom: Read) -> None:
    file = new_dicom(ViewCodeSequence=[coded("399368009")], ViewPosition="CCID")
    assert (read_dicom(file).tags.view, read_dicom(file).tags.view_modifiers) == ("MLO", ())
    file.tags["ViewCodeSequence"] = [coded("12345")]
    assert (read_dicom(file).tags.view, read_dicom(file).tags.view_modifiers) == ("CC", ("ID",))


@pytest.mark.parametrize(
    ("position", "wanted"),
    [
        ("CC", ("CC", "")),
        (" mlo ", ("MLO", "")),
        ("RMLO", ("MLO", "")),
        ("L-CC", ("CC", "")),
        ("LMLO", ("MLO", "")),
        ("LML", ("ML", "")),
        ("LM", ("LM", "")),
        ("LMO", ("LMO", "")),
        ("MLOID", ("MLO", "ID")),
        ("CC ID", ("CC", "ID")),
        ("MLID", ("ML", "ID")),
        ("LCCID", ("CC", "ID")),
        ("XCCL", ("XCCL", "")),
        ("AT", ("AT", "")),
        ("AP", ("", "")),
        ("ID", ("", "")),
        ("", ("", "")),
        ("SPECIMEN", ("", "")),
    ],
)
def test_views_by_text(position: str, wanted: tuple[str, str]) -> None:
    assert parse_view(position) == wanted


def test_modifiers_are_inside_the_view_code_or_beside_it(new_dicom: Any, read_dicom: Read) -> None:
    spot, magnified = coded("R-102D7", "SRT"), coded("399163009")
    inside = [coded("399162004", ViewModifierCodeSequence=[spot, magnified, coded("1")])]
    assert read_dicom(new_dicom(ViewCodeSequence=inside)).tags.view_modifiers == (
        "spot",
        "magnification",
    )
    file = new_dicom(ViewModifierCodeSequence=[coded("399209000"), spot], ViewPosition="MLO")
    assert read_dicom(file).tags.view_modifiers == ("ID", "spot")
    file.tags["ViewCodeSequence"] = [coded("399368009", ViewModifierCodeSequence=[magnified])]
    assert read_dicom(file).tags.view_modifiers == ("magnification", "ID", "spot")


@pytest.mark.parametrize(
    ("code", "position", "conflict"),
    [
        ("399162004", "MLO", True),  # CC
        ("399368009", "ML", True),  # MLO
        ("399368009", "RMLOID", False),
        ("399192008", "XCC", False),  # XCCL
        ("399162004", "XCC", True),
        ("399368009", "AT", False),
        ("399162004", "CV", False),
        ("399162004", "PA", False),  # no view of a breast
        ("12345", "MLO", False),
    ],
)
def test_a_view_that_code_and_text_name_differently(
    new_dicom: Any, read_dicom: Read, code: str, position: str, conflict: bool
) -> None:
    record = read_dicom(new_dicom(ViewCodeSequence=[coded(code)], ViewPosition=position))
    assert ("view_conflict" in record.flags) is conflict
