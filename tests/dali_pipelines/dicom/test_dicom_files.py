"""Every real file gives a record that agrees with pydicom, or the reason that was expected."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.encaps import generate_frames

from dali_pipelines.dicom.image import ReadOptions, read_image
from dali_pipelines.phantom.encode import SYNTAXES
from dali_pipelines.phantom.header import HeaderSpec
from dali_pipelines.phantom.write import write_dicom
from dali_pipelines.reader import read_encoded
from dali_pipelines.records import ImageRecord, Window
from dali_pipelines.storage.archive import Source
from dali_pipelines.verdicts import Reason, RejectError

EXPECTED = {
    "jpeg2k_3d.dcm": Reason.MULTIFRAME,
    "jpeg_lossless_sel1-8bit.dcm": Reason.MULTIFRAME,
    "jpeg2000-multiframe-multifragments.dcm": Reason.MULTIFRAME,
}
NOT_DICOM = {".zst", ".j2c", ".txt", ".md", ".csv"}


def read(path: Path, **options: Any) -> ImageRecord:
    return read_image(Source(str(path)), b"key", ReadOptions(any_modality=True, **options))


def stored_frame(path: Path) -> bytes:
    """The frame's bytes as pydicom finds them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(path)
        data: bytes = dataset.PixelData
        if not dataset.file_meta.TransferSyntaxUID.is_compressed:
            return data
        return next(generate_frames(data, number_of_frames=1))


def test_every_real_file_has_its_verdict(shared_data: Path) -> None:
    paths = [
        path
        for folder in ("mammograms", "conformance")
        for path in sorted((shared_data / folder).rglob("*"))
        if path.is_file()
    ]
    records = 0
    for path in paths:
        if path.suffix in NOT_DICOM or path.name == "LICENSE":
            wanted: Reason | None = Reason.NOT_DICOM
        else:
            wanted = EXPECTED.get(path.name)
        if wanted is None:
            record = read(path)
            encoded = bytes(read_encoded(record).data)
            frame = stored_frame(path)
            assert encoded == frame[: len(encoded)], path.name
            assert set(frame[len(encoded) :]) <= {0, 0xFF}, path.name  # both pad in practice
            records += 1
        else:
            with pytest.raises(RejectError) as caught:
                read(path)
            assert caught.value.reason is wanted, path.name
    assert records >= 41


def test_real_headers_agree_with_pydicom(shared_data: Path) -> None:
    for path in sorted((shared_data / "mammograms").glob("*.dcm")):
        if path.name in EXPECTED:
            continue
        tags, gray = read(path, hash=False).tags, read(path, hash=False).grayscale
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            header = pydicom.dcmread(path, stop_before_pixels=True)
            assert (tags.rows, tags.columns) == (header.Rows, header.Columns)
            assert (tags.bits_stored, tags.high_bit) == (header.BitsStored, header.HighBit)
            assert tags.sop_instance_uid == header.SOPInstanceUID
            assert tags.patient_id in (header.PatientID, header.StudyInstanceUID)
            assert tags.view == header.get("ViewPosition", tags.view)
            centers, widths = header.get("WindowCenter"), header.get("WindowWidth")
            if not isinstance(centers, pydicom.multival.MultiValue):
                centers, widths = [centers], [widths]
            pairs = zip(centers, widths, strict=True)
            assert gray.windows == tuple(Window(float(c), float(w)) for c, w in pairs)
            luts = header.get("VOILUTSequence", [])
            assert [list(lut.values) for lut in gray.voi_luts] == [i.LUTData for i in luts]


def test_a_real_mammogram_in_full(shared_data: Path) -> None:
    record = read(shared_data / "mammograms/GH133.dcm")
    assert (record.tags.laterality, record.tags.view, record.tags.implant) == ("R", "MLO", False)
    assert record.stream.precision == 16
    assert (record.grayscale.bits, record.grayscale.bits_stored) == (16, 12)
    assert record.grayscale.function == "SIGMOID"
    assert [lut.first for lut in record.grayscale.voi_luts] == [625, 1023, 203]
    assert record.grayscale.padding == (0, 30)
    assert record.tags.age_years is None  # "000Y"
    assert record.flags == ("precision_mismatch",)


@pytest.mark.parametrize("syntax", sorted(SYNTAXES))
def test_phantoms_in_every_syntax_are_unremarkable(
    syntax: str, noise: Callable[..., Any], tmp_path: Path
) -> None:
    write_dicom(tmp_path / "a.dcm", noise(12), HeaderSpec(syntax=syntax))
    record = read(tmp_path / "a.dcm")
    encoded = read_encoded(record)
    assert set(record.flags) <= {"jp2_box", "precision_mismatch"}  # JPEG-LS states 16 bits
    if syntax != "deflated":
        assert bytes(encoded.data) in stored_frame(tmp_path / "a.dcm")
