"""Labelled JPEG crops of real lesions as DICOM Secondary Capture, their codestreams untouched."""

import io
import struct
from pathlib import Path
from typing import Any

import pandas as pd
from pydicom import Dataset, FileMetaDataset, dcmwrite
from pydicom.encaps import encapsulate
from pydicom.uid import JPEGBaseline8Bit, SecondaryCaptureImageStorage

from dali_pipelines.phantom.header import make_uid

_SIDES = {"LEFT": "L", "RIGHT": "R"}


def write_captures(crops: pd.DataFrame, source: Path, out: Path) -> pd.DataFrame:
    """Write each crop of `source`/labels.csv below `out`, and `out`/labels.csv for `mammo scan`.

    `crops` are rows of that table. Returns it with a column sop_instance_uid; labels.csv names
    images by it, with cancer 0 or 1, and nothing else of the table enters it.
    """
    out.mkdir(parents=True, exist_ok=True)
    named = crops.assign(sop_instance_uid=[make_uid(file) for file in crops["file"]])
    for row in named.itertuples(index=False):
        jpeg = (source / row.file).read_bytes()
        (out / f"{row.sop_instance_uid}.dcm").write_bytes(capture(jpeg, row))
    labels = named[["sop_instance_uid", "malignant"]].rename(columns={"malignant": "cancer"})
    labels.to_csv(out / "labels.csv", index=False)
    return named


def capture(jpeg: bytes, row: Any) -> bytes:
    """A file of one 8-bit gray JPEG baseline frame; `row` names image, patient, side and view."""
    height, width = baseline_size(jpeg)
    data = Dataset()
    data.SOPClassUID, data.SOPInstanceUID = SecondaryCaptureImageStorage, row.sop_instance_uid
    data.StudyInstanceUID = make_uid(f"study of {row.patient_id}")
    data.SeriesInstanceUID = make_uid(f"series of {row.patient_id}")
    data.PatientID, data.Modality, data.ConversionType = row.patient_id, "MG", "DF"
    data.ImageLaterality, data.ViewPosition = _SIDES[row.side], row.view
    data.SamplesPerPixel, data.PhotometricInterpretation = 1, "MONOCHROME2"
    data.Rows, data.Columns = height, width
    data.BitsAllocated = data.BitsStored = 8
    data.HighBit, data.PixelRepresentation = 7, 0
    data.LossyImageCompression, data.LossyImageCompressionMethod = "01", "ISO_10918_1"
    data.PixelData = encapsulate([jpeg])
    data["PixelData"].VR, data["PixelData"].is_undefined_length = "OB", True
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = JPEGBaseline8Bit
    file = io.BytesIO()
    dcmwrite(file, data, enforce_file_format=True)
    return file.getvalue()


def baseline_size(jpeg: bytes) -> tuple[int, int]:
    """(height, width) in the frame header SOF0 (T.81 B.2.2); ValueError where there is none."""
    at = 2  # after SOI
    while at + 9 <= len(jpeg) and jpeg[at] == 0xFF:
        marker, length = jpeg[at + 1], struct.unpack_from(">H", jpeg, at + 2)[0]
        if marker == 0xC0:
            height, width = struct.unpack_from(">HH", jpeg, at + 5)
            return height, width
        at += 2 + length
    raise ValueError("a JPEG without SOF0 is not baseline")
