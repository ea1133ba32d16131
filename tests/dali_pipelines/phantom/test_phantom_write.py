"""Whole files as pydicom and its plugins read them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.encaps import generate_fragments, parse_basic_offsets
from pydicom.uid import ExplicitVRLittleEndian

from dali_pipelines.errors import ConfigError
from dali_pipelines.phantom.encode import NATIVE, SYNTAXES, encode_frame
from dali_pipelines.phantom.header import HeaderSpec, make_uid
from dali_pipelines.phantom.write import write_dicom
from dali_pipelines.records import Window

Noise = Callable[..., np.ndarray]

# Type 1, so never empty, in Digital Mammography X-Ray Image - For Presentation (PS3.3 A.27).
TYPE_1 = """
    StudyInstanceUID SeriesInstanceUID SOPClassUID SOPInstanceUID Modality PresentationIntentType
    SamplesPerPixel PhotometricInterpretation Rows Columns BitsAllocated BitsStored HighBit
    PixelRepresentation PixelData ImageType PixelIntensityRelationship
    PixelIntensityRelationshipSign RescaleIntercept RescaleSlope RescaleType PresentationLUTShape
    LossyImageCompression PatientOrientation BurnedInAnnotation ImagerPixelSpacing PositionerType
    ImageLaterality OrganExposed AnatomicRegionSequence ViewCodeSequence WindowCenter WindowWidth
""".split()  # noqa: SIM905
TYPE_2 = """
    PatientName PatientID PatientBirthDate PatientSex StudyDate StudyTime ReferringPhysicianName
    StudyID AccessionNumber SeriesNumber InstanceNumber Manufacturer DetectorType
    AcquisitionContextSequence
""".split()  # noqa: SIM905


@pytest.fixture
def written(tmp_path: Path, noise: Noise) -> Callable[..., tuple[np.ndarray, pydicom.Dataset]]:
    """Write noise of the precision under a HeaderSpec, and read it back with pydicom."""

    def write(**spec: Any) -> tuple[np.ndarray, pydicom.Dataset]:
        header = HeaderSpec(**spec)
        values = noise(header.precision)
        write_dicom(tmp_path / "x.dcm", values, header)
        return values, pydicom.dcmread(tmp_path / "x.dcm")

    return write


Written = Callable[..., tuple[np.ndarray, pydicom.Dataset]]


@pytest.mark.parametrize("precision", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("syntax", sorted(SYNTAXES.keys() - {"htj2k"}))
def test_pydicom_decodes_the_values(syntax: str, precision: int, written: Written) -> None:
    values, dataset = written(syntax=syntax, precision=precision)
    assert dataset.file_meta.TransferSyntaxUID == SYNTAXES[syntax]
    np.testing.assert_array_equal(dataset.pixel_array, values)


@pytest.mark.parametrize("precision", [8, 12, 16])
@pytest.mark.parametrize("predictor", range(1, 8))
def test_gdcm_decodes_every_predictor(predictor: int, precision: int, written: Written) -> None:
    values, dataset = written(syntax="jpeg_lossless", precision=precision, predictor=predictor)
    dataset.pixel_array_options(decoding_plugin="gdcm")
    np.testing.assert_array_equal(dataset.pixel_array, values)


def test_the_stream_may_state_more_bits_than_are_stored(written: Written) -> None:
    values, dataset = written(syntax="jpeg_sv1", precision=12, stream_precision=16)
    frame = dataset.PixelData.index(b"\xff\xc3")
    assert (dataset.BitsStored, dataset.PixelData[frame + 4]) == (12, 16)
    np.testing.assert_array_equal(dataset.pixel_array, values)


def test_type_1_attributes_have_values_and_type_2_are_there(written: Written) -> None:
    _, dataset = written()
    assert [name for name in TYPE_1 if name not in dataset or dataset[name].is_empty] == []
    assert [name for name in TYPE_2 if name not in dataset] == []
    assert dataset.ViewCodeSequence[0].CodeValue == "399162004"
    assert "ViewModifierCodeSequence" in dataset.ViewCodeSequence[0]
    assert dataset.AnatomicRegionSequence[0].CodeValue == "76752008"
    assert dataset.file_meta.MediaStorageSOPInstanceUID == dataset.SOPInstanceUID
    assert dataset.file_meta.MediaStorageSOPClassUID == dataset.SOPClassUID


def test_sides_and_views_agree_with_the_orientation(written: Written) -> None:
    _, left = written(laterality="L", view="MLO")  # the standard's own example for a left MLO
    _, right = written(laterality="R", view="CC")
    assert list(left.PatientOrientation) == ["A", "FR"]
    assert list(right.PatientOrientation) == ["P", "L"]
    assert left.ViewCodeSequence[0].CodeValue == "399368009"
    assert (left.ImageLaterality, right.ViewPosition) == ("L", "CC")


def test_monochrome1_is_shown_inverted(written: Written) -> None:
    _, dataset = written(photometric="MONOCHROME1", padding=4095)
    assert dataset.PresentationLUTShape == "INVERSE"
    assert dataset.PixelIntensityRelationshipSign == 1
    assert dataset.PixelPaddingValue == 4095


def test_windows_are_pairs_with_a_function_and_names(written: Written) -> None:
    windows = (Window(1802.31, 1091.97), Window(2020.704, 500))
    _, dataset = written(windows=windows, function="SIGMOID")
    assert list(dataset.WindowCenter) == [1802.31, 2020.704]
    assert list(dataset.WindowWidth) == [1091.97, 500]
    assert dataset.VOILUTFunction == "SIGMOID"
    assert list(dataset.WindowCenterWidthExplanation) == ["NORMAL", "HARDER"]
    _, plain = written(precision=14)
    assert (plain.WindowCenter, plain.WindowWidth) == (8192, 16384)
    assert "VOILUTFunction" not in plain
    _, without = written(windows=())
    assert "WindowCenter" not in without


@pytest.mark.parametrize("fragments", [1, 4])
@pytest.mark.parametrize("table", ["basic", "empty"])
def test_fragments_and_offset_table(fragments: int, table: Any, written: Written) -> None:
    values, dataset = written(syntax="j2k", fragments=fragments, offset_table=table)
    assert parse_basic_offsets(dataset.PixelData) == ([0] if table == "basic" else [])
    parts = list(generate_fragments(dataset.PixelData))[1:]  # the first item is the offset table
    assert len(parts) == fragments
    assert b"".join(parts).rstrip(b"\0") == encode_frame(values, 12, "j2k").rstrip(b"\0")


def test_the_header_takes_changes_at_last(written: Written) -> None:
    _, dataset = written(changes={"PatientAge": None, "ViewPosition": "ML", "SOPClassUID": "1.2.3"})
    assert "PatientAge" not in dataset
    assert dataset.ViewPosition == "ML"
    assert dataset.file_meta.MediaStorageSOPClassUID == "1.2.3"


@pytest.mark.parametrize("syntax", sorted(SYNTAXES))
def test_the_same_input_gives_the_same_bytes(syntax: str, tmp_path: Path, noise: Noise) -> None:
    for name in ("a", "b"):
        write_dicom(tmp_path / name, noise(16), HeaderSpec(syntax=syntax, precision=16))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_nothing_in_the_file_tells_the_writer_or_the_day(written: Written) -> None:
    _, dataset = written()
    assert dataset.file_meta.ImplementationVersionName == "PHANTOM"
    assert dataset.file_meta.ImplementationClassUID == make_uid("implementation")
    assert {element.value for element in dataset if element.VR == "DA"} == {"20200102", ""}


def test_an_odd_count_of_bytes_is_padded(tmp_path: Path) -> None:
    values = np.arange(15, dtype=np.uint16).reshape(3, 5)
    write_dicom(tmp_path / "x.dcm", values, HeaderSpec(precision=8))
    dataset = pydicom.dcmread(tmp_path / "x.dcm")
    assert len(dataset.PixelData) == 16
    assert dataset.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    np.testing.assert_array_equal(dataset.pixel_array, values)


def test_uids_are_valid_and_depend_on_the_text() -> None:
    assert make_uid("a") == make_uid("a") != make_uid("b")
    assert make_uid("a").startswith("2.25.")
    assert pydicom.uid.UID(make_uid("a")).is_valid


@pytest.mark.parametrize("change", [{"syntax": "png"}, {"precision": 0}, {"fragments": 0}])
def test_a_header_that_cannot_be_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        HeaderSpec(**change)
    for syntax in NATIVE:
        with pytest.raises(ConfigError, match="2 fragments"):
            HeaderSpec(syntax=syntax, fragments=2)
