from pathlib import Path

from pydicom.uid import UID, UID_dictionary

from dali_pipelines.dicom.uids import (
    DX_FAMILY,
    ENCAPSULATED_SYNTAXES,
    LOSSLESS_SYNTAXES,
    MULTIFRAME_CLASSES,
    NATIVE_SYNTAXES,
    PROCESSING_CLASSES,
    SYNTAX_NAMES,
    is_not_an_image,
    is_secondary_capture,
)
from dali_pipelines.phantom.encode import SYNTAXES

STORAGE = "1.2.840.10008.5.1.4.1.1."


def test_syntaxes_are_what_the_standard_calls_them() -> None:
    for uid in NATIVE_SYNTAXES:
        assert not UID(uid).is_compressed
    words = {
        "rle": "RLE", "j2k": "JPEG 2000", "htj2k": "High-Throughput", "jpegls": "JPEG-LS",
        "jpeg_dct": "JPEG ", "jpeg_lossless": "JPEG Lossless, Non-Hierarchical",
    }  # fmt: skip
    for uid, kind in ENCAPSULATED_SYNTAXES.items():
        assert UID(uid).is_compressed
        assert words[kind] in UID(uid).name, uid
        lossless = "Lossless" in UID(uid).name and "Near" not in UID(uid).name
        assert (uid in LOSSLESS_SYNTAXES) is (lossless and kind != "rle"), uid
    assert set(SYNTAXES.values()) <= ENCAPSULATED_SYNTAXES.keys() | NATIVE_SYNTAXES


def test_each_syntax_has_a_short_name_that_begins_a_row_of_the_readme() -> None:
    assert SYNTAX_NAMES.keys() == ENCAPSULATED_SYNTAXES.keys() | NATIVE_SYNTAXES
    readme = (Path(__file__).parents[3] / "README.md").read_text()
    for name in SYNTAX_NAMES.values():
        assert f"\n| {name}" in readme, name


def test_classes_are_what_the_standard_calls_them() -> None:
    names = {uid: entry[0] for uid, entry in UID_dictionary.items() if uid.startswith(STORAGE)}
    family = ("Digital X-Ray", "Digital Mammography", "Digital Intra-Oral")
    assert {uid for uid, name in names.items() if name.startswith(family)} == DX_FAMILY
    taken = DX_FAMILY | MULTIFRAME_CLASSES
    assert {uid for uid in taken if "For Processing" in names[uid]} == PROCESSING_CLASSES
    assert all(names[uid].startswith("Breast ") for uid in MULTIFRAME_CLASSES)
    assert len(MULTIFRAME_CLASSES) == 3


def test_the_classes_that_hold_no_image_are_those_of_the_standard() -> None:
    words = ("SR", "Presentation State", "Waveform", "Encapsulated", "Segmentation", "Raw Data")
    for uid, (name, kind, *_) in UID_dictionary.items():
        if kind == "SOP Class" and uid.startswith(STORAGE):
            if any(word in name.split() or word in name for word in words) and "PR" not in name:
                assert is_not_an_image(uid), name
            if name.endswith("Image Storage") or "Image Storage -" in name:
                assert not is_not_an_image(uid), name
                assert is_secondary_capture(uid) == ("Secondary Capture" in name), name
