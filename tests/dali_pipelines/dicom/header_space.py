"""Headers drawn by hypothesis: sound ones in all their variety, and ones with anything anywhere."""

from typing import Any

from hypothesis import strategies as st
from pydicom.datadict import dictionary_VR

from dali_pipelines.dicom.image_object import WANTED_TAGS
from dali_pipelines.dicom.uids import MAMMOGRAPHY, MAMMOGRAPHY_PROCESSING
from tests.dicom_file import DicomFile

PIXELS = 24  # of the 4 x 6 image of a DicomFile
SYNTAXES = (  # UID, implicit VR, big endian: PS3.6 table A-1
    ("1.2.840.10008.1.2.1", False, False),
    ("1.2.840.10008.1.2", True, False),
    ("1.2.840.10008.1.2.2", False, True),
)
WANTED = sorted(name for name in WANTED_TAGS if isinstance(name, str))
VRS = ("AE", "AS", "AT", "CS", "DS", "FD", "FL", "IS", "LO", "OB", "OW", "PN", "SH", "SL", "SQ")
VRS += ("SS", "ST", "SV", "UC", "UI", "UL", "UN", "UR", "US", "UT", "UV", "ZZ", "\0\0")
WORDS = ("", "0", "-1", "1e308", "1e309", "nan", "inf", "1_0", "12abc", "\\", "2\\3", "\\\\9\\")
WORDS += ("MONOCHROME1", "MONOCHROME2", "RGB", "SIGMOID", "INVERSE", "L", "B", "CC", "YES", "99Y")


def decimal_strings(low: float, high: float) -> st.SearchStrategy[str]:
    """DS values of up to 16 characters (PS3.5 6.2)."""
    return st.floats(low, high).map(lambda value: f"{value:.9g}")


@st.composite
def sound_files(draw: st.DrawFn) -> DicomFile:
    """Mammograms that must be read, each element of its right VR and in its range."""
    stored = draw(st.integers(6, 16))
    count = draw(st.integers(1, 4))
    centers = draw(st.lists(decimal_strings(-5000, 70000), min_size=count, max_size=count))
    widths = draw(st.lists(decimal_strings(2, 70000), min_size=count, max_size=count))
    tags: dict[str, Any] = {
        "SOPClassUID": draw(st.sampled_from((MAMMOGRAPHY, MAMMOGRAPHY_PROCESSING))),
        "BitsStored": stored,
        "HighBit": draw(st.integers(stored - 1, 15)),
        "PhotometricInterpretation": draw(st.sampled_from(("MONOCHROME1", "MONOCHROME2"))),
        "WindowCenter": "\\".join(centers),
        "WindowWidth": "\\".join(widths),
        "VOILUTFunction": draw(st.sampled_from((None, "LINEAR", "LINEAR_EXACT", "SIGMOID"))),
        "ImageLaterality": draw(st.sampled_from(("L", "R", "B", "", None))),
        "ViewPosition": draw(st.sampled_from(("CC", "MLO", "ML", "", None))),
        "PatientAge": draw(st.integers(1, 999).map(lambda years: f"{years:03d}Y")),
        "Manufacturer": draw(st.text("ABC ÄÖé.,-", max_size=64)),
        "RescaleSlope": "1",
        "RescaleIntercept": draw(st.sampled_from(("0", "-1024", "0.5"))),
    }
    file = DicomFile(**tags)
    file.syntax, file.implicit, file.big = draw(st.sampled_from(SYNTAXES))
    file.pixels = draw(st.binary(min_size=2 * PIXELS, max_size=2 * PIXELS))
    return file


def odd_values() -> st.SearchStrategy[Any]:
    """What may stand in an element: words, numbers, bytes, items within items, nothing."""
    plain = st.sampled_from(WORDS).map(str.encode) | st.text(max_size=20).map(
        lambda text: text.encode("utf-8")
    )
    plain |= st.binary(max_size=40) | st.none()
    return plain | st.recursive(
        st.dictionaries(st.sampled_from(WANTED), plain, max_size=3).map(lambda item: [item]),
        lambda inner: st.lists(
            st.dictionaries(st.sampled_from(WANTED), inner | plain, max_size=2), max_size=3
        ),
        max_leaves=4,
    )


@st.composite
def odd_files(draw: st.DrawFn) -> DicomFile:
    """Sound files in which up to four wanted elements have any VR and any value."""
    file = draw(sound_files())
    for name in draw(st.lists(st.sampled_from(WANTED), min_size=1, max_size=4)):
        value = draw(odd_values())
        file.tags[name] = value
        file.vrs[name] = "SQ" if isinstance(value, list) else draw(st.sampled_from(VRS))
        if not isinstance(value, list) and draw(st.booleans()):
            file.vrs[name] = dictionary_VR(name).split(" or ")[0]
    return file
