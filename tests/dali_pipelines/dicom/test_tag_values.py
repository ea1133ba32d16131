import math
from typing import Any

import pytest
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from dali_pipelines.dicom.tag_parser import parse_tags, quiet_pydicom
from dali_pipelines.dicom.tag_values import (
    has_value,
    integer,
    integers,
    items,
    numbers,
    raw_element,
    text,
    texts,
)
from dali_pipelines.storage.byte_view import MemoryBytes
from dali_pipelines.verdicts import Reason, RejectError

WANTED = (
    *("Rows", "PixelPaddingValue", "WindowCenter", "ImageType", "PatientID", "Manufacturer"),
    *("ViewCodeSequence", "NumberOfFrames", "PatientAge"),
)


@pytest.fixture
def dataset_of(new_dicom: Any) -> Any:
    def make(vrs: dict[str, str] | None = None, big: bool = False, **tags: Any) -> Dataset:
        file = new_dicom(**tags)
        file.vrs, file.big = vrs or {}, big
        syntax = "1.2.840.10008.1.2.2" if big else "1.2.840.10008.1.2.1"
        with quiet_pydicom():
            return parse_tags(MemoryBytes(file.data_set()), 0, syntax, WANTED).dataset

    return make


def test_text_loses_its_padding(dataset_of: Any) -> None:
    dataset = dataset_of(ImageType=b"ORIGINAL\\PRIMARY \\ \0", PatientID=b" 7\0", PatientAge="")
    assert texts(dataset, "ImageType") == ["ORIGINAL", "PRIMARY", ""]
    assert text(dataset, "PatientID") == "7"
    assert (text(dataset, "PatientAge"), texts(dataset, "Manufacturer")) == ("", [])


def test_text_is_decoded_by_its_character_set(dataset_of: Any) -> None:
    latin = dataset_of(SpecificCharacterSet="ISO_IR 100", Manufacturer=b"M\xfcller")
    assert text(latin, "Manufacturer") == "Müller"
    unicode = dataset_of(SpecificCharacterSet="ISO_IR 192", PatientID="山田".encode())
    assert text(unicode, "PatientID") == "山田"
    kanji = dataset_of(
        SpecificCharacterSet="\\ISO 2022 IR 87", PatientID=b"\x1b$B;3ED\x1b(B"
    )  # PS3.5 H.3.2
    assert text(kanji, "PatientID") == "山田"
    with quiet_pydicom():
        odd = dataset_of(SpecificCharacterSet="NONSENSE", PatientID=b"a\xff")
        assert text(odd, "PatientID").startswith("a")
        hostile = dataset_of(SpecificCharacterSet="undefined", PatientID=b"a\xff")  # Python's own
        assert text(hostile, "PatientID") == "aÿ"


def test_decimal_text_becomes_numbers_or_nan(dataset_of: Any) -> None:
    dataset = dataset_of(WindowCenter="40\\-1.5e2\\ 7 \\\\abc\\4,5\\1_0\\inf")
    found = numbers(dataset, "WindowCenter")
    assert found[:3] == [40, -150, 7]
    assert all(map(math.isnan, found[3:7]))
    assert found[7] == math.inf
    assert numbers(dataset, "NumberOfFrames") == []


def test_numbers_in_another_vr_are_read_as_they_are(dataset_of: Any) -> None:
    assert numbers(dataset_of({"WindowCenter": "FD"}, WindowCenter=(1.5, 2.0)), "WindowCenter") == [
        1.5,
        2.0,
    ]
    assert integer(dataset_of({"Rows": "IS"}, Rows="512 "), "Rows") == 512
    assert integer(dataset_of({"Rows": "UL"}, Rows=70_000), "Rows") == 70_000
    assert integer(dataset_of({"Rows": "UN"}, Rows=b"\x04\x01"), "Rows") == 260


@pytest.mark.parametrize("vr", ["US", "SS"])
@pytest.mark.parametrize("big", [True, False])
def test_the_caller_settles_the_sign(dataset_of: Any, vr: str, big: bool) -> None:
    value = -2000 if vr == "SS" else 63536
    dataset = dataset_of({"PixelPaddingValue": vr}, big, PixelPaddingValue=value)
    assert integers(dataset, "PixelPaddingValue", signed=True) == [-2000]
    assert integers(dataset, "PixelPaddingValue") == [63536]


@pytest.mark.parametrize(
    ("value", "wanted"), [("7", 7), ("7.5", None), ("x", None), ("1\\2", None)]
)
def test_an_integer_is_one_whole_number(dataset_of: Any, value: str, wanted: int | None) -> None:
    assert integer(dataset_of(NumberOfFrames=value), "NumberOfFrames") == wanted


def test_items_of_a_sequence(dataset_of: Any) -> None:
    view = {"CodeValue": "R-10242"}
    dataset = dataset_of(ViewCodeSequence=[view, {}])
    assert [text(item, "CodeValue") for item in items(dataset, "ViewCodeSequence")] == [
        "R-10242",
        "",
    ]
    assert raw_element(dataset, "ViewCodeSequence") is None
    assert items(dataset_of(), "ViewCodeSequence") == ()
    assert items(dataset_of(ViewCodeSequence=[]), "ViewCodeSequence") == ()


def test_a_sequence_that_cannot_be_parsed_is_corrupt(dataset_of: Any) -> None:
    for value in (b"abc", b"\xfe\xff\x00\xe0"):
        dataset = dataset_of(ViewCodeSequence=value)
        with pytest.raises(RejectError) as caught, quiet_pydicom():
            items(dataset, "ViewCodeSequence")
        assert caught.value.reason is Reason.CORRUPT


def test_text_where_a_sequence_should_be_is_corrupt(dataset_of: Any) -> None:
    dataset = dataset_of({"ViewCodeSequence": "LO"}, ViewCodeSequence="CC")
    with pytest.raises(RejectError) as caught, quiet_pydicom():
        items(dataset, "ViewCodeSequence")
    assert caught.value.reason is Reason.CORRUPT


def test_a_long_value_is_refused_before_it_is_split() -> None:
    dataset = Dataset()
    for length in (1 << 18, (1 << 18) + 2):
        tag = BaseTag(0x00281050)
        value = b"1\\" * (length // 2)
        dataset[tag] = RawDataElement(tag, "DS", length, value, 0, False, True)
        assert has_value(dataset, "WindowCenter")
        if length == 1 << 18:
            assert len(numbers(dataset, "WindowCenter")) == (1 << 17) + 1
            continue
        for read in (numbers, integers, texts):
            with pytest.raises(RejectError) as caught:
                read(dataset, "WindowCenter")
            assert caught.value.reason is Reason.TOO_LARGE


@pytest.mark.parametrize("big", [True, False])
def test_a_sequence_of_many_items_is_refused_before_it_is_parsed(
    dataset_of: Any, monkeypatch: pytest.MonkeyPatch, big: bool
) -> None:
    assert len(items(dataset_of(big=big, ViewCodeSequence=[{}] * 1000), "ViewCodeSequence")) == 1000
    dataset = dataset_of(big=big, ViewCodeSequence=[{}] * 1001)
    monkeypatch.setattr(Dataset, "__getitem__", lambda *_: pytest.fail("it was parsed"))
    with pytest.raises(RejectError) as caught:
        items(dataset, "ViewCodeSequence")
    assert caught.value.reason is Reason.TOO_LARGE
