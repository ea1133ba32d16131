"""Files whose every attribute and name is marked, and the search for the marks in what is written.

The attributes are all of pydicom's dictionary, retired ones too, that can hold text, a date, a
time, a UID, a number in text or a document: more than PS3.15 table E.1-1 has of those. TECHNICAL
are left out: they decide whether and how it is an image, or the product tells of them on purpose.
"""

import base64
import io
import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow.parquet as pq
from pydicom import Dataset, dcmread
from pydicom.datadict import DicomDictionary
from pydicom.sequence import Sequence

MARK: Final = "CANARY7Q"
NAME: Final = f"{MARK} Müller-Łuczak 検査"  # of folders and files
MARKS: Final = (  # whatever has one of these in it has told something
    MARK,
    "19370213",
    "1937-02-13",
    "031337",
    "1.2.826.0.1.3680043.9.7777777",
    "7391937",
)
TECHNICAL: Final = {
    *("SpecificCharacterSet", "SOPClassUID", "ImageType", "Modality", "PresentationIntentType"),
    *("PhotometricInterpretation", "NumberOfFrames", "LossyImageCompression", "PatientOrientation"),
    *("ImageLaterality", "Laterality", "FrameLaterality", "ViewPosition", "BurnedInAnnotation"),
    *("BreastImplantPresent", "PartialView", "QualityControlImage", "PresentationLUTShape"),
    *("RescaleSlope", "RescaleIntercept", "WindowCenter", "WindowWidth", "VOILUTFunction"),
    *("ImagerPixelSpacing", "PixelSpacing", "NominalScannedPixelSpacing", "PatientAge"),
    *("Manufacturer", "ManufacturerModelName"),  # in no row of PS3.15: images are counted by them
}
_VALUES: Final = {
    **dict.fromkeys(("AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"), MARK),
    **dict.fromkeys(("IS", "DS"), "7391937"),
    "DA": "19370213",
    "TM": "031337",
    "DT": "19370213031337",
    "OB": MARK.encode(),
    "UI": "1.2.826.0.1.3680043.9.7777777.1",
}
_OVERLAY_COMMENTS: Final = 0x60004000
_UNIQUE: Final = ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "PatientID")


def mark_file(path: Path, out: Path, number: int, patient: int) -> str:
    """Write the DICOM file at `path` to `out` with all its text marked; its SOP Instance UID."""
    dataset = dcmread(path)
    for tag, (vr, multiplicity, _, _, keyword) in DicomDictionary.items():
        if keyword and keyword not in TECHNICAL and tag >> 16 not in (0, 2, 4, 0x7FE0):
            if vr in _VALUES:
                count = int(re.match(r"\d+", multiplicity)[0])
                dataset.add_new(tag, vr, [_VALUES[vr]] * count if count > 1 else _VALUES[vr])
            elif vr == "SQ" and "LUT" not in keyword and not keyword.startswith("View"):
                dataset.add_new(tag, vr, Sequence([_item()]))
    dataset.add_new(_OVERLAY_COMMENTS, "LT", MARK)  # of a repeating group, as in no dictionary
    private = dataset.private_block(0x0019, f"{MARK} PRIVATE", create=True)
    private.add_new(0x01, "LO", MARK)
    uid = f"{_VALUES['UI']}.{number}"
    for keyword, value in zip(
        _UNIQUE, (uid, f"{_VALUES['UI']}.2.{patient}", f"{uid}.3", f"{MARK}-{patient}"), strict=True
    ):
        setattr(dataset, keyword, value)
    dataset.file_meta.MediaStorageSOPInstanceUID = uid
    out.parent.mkdir(parents=True, exist_ok=True)
    dataset.save_as(out, enforce_file_format=True)
    return uid


def _item() -> Dataset:
    """An item of a sequence: a code, a person and a reference."""
    item = Dataset()
    item.CodeValue = item.CodeMeaning = item.PatientName = item.PersonName = MARK
    item.CodingSchemeDesignator = MARK
    item.ReferencedSOPInstanceUID = _VALUES["UI"]
    return item


def add_bad_files(bad: Path, good: Path) -> None:
    """One of each kind of trouble that walk and reader tell of."""
    bad.mkdir()
    content = good.read_bytes()
    (bad / f"{NAME}_cut.dcm").write_bytes(content[: len(content) - 999])
    (bad / f"{NAME}_header.dcm").write_bytes(content[: len(content) // 50])
    (bad / f"{NAME}_empty.dcm").write_bytes(b"")
    (bad / f"{NAME}.txt").write_text(NAME)
    (bad / f"{NAME}_again.dcm").write_bytes(content)
    (bad / f"{NAME}_gone.dcm").symlink_to(bad / f"{NAME}_nowhere")
    (bad / f"{NAME}_loop").symlink_to(bad)
    os.mkfifo(bad / f"{NAME}_pipe")
    with zipfile.ZipFile(bad / f"{NAME}.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"../{NAME}/{NAME}.dcm", content[:-500])
        archive.writestr(f"{NAME}.txt", NAME)
    (bad / f"{NAME}_broken.zip").write_bytes(b"PK\x03\x04" + NAME.encode())
    (bad / os.fsdecode(MARK.encode() + b"\xff.dcm")).write_bytes(content[:300])


def write_bad_labels(folder: Path, labels: pd.DataFrame) -> None:
    """Labels that contradict themselves, name nobody's images, or are empty."""
    rows = labels[["image_id", "cancer"]]
    other = rows.assign(cancer=1 - rows["cancer"].astype(int))
    pd.concat([rows, other]).to_csv(folder / "twice.csv", index=False)
    rows.assign(image_id=MARK + rows["image_id"], cancer=MARK).to_csv(
        folder / "strange.csv", index=False
    )
    (folder / "empty.csv").write_text(f"image_id,{MARK}\n{MARK},{MARK}\n")


def change_files(folder: Path) -> None:
    """One file is gone, one is shorter, one has other bytes, size and time kept."""
    first, second, third = sorted(folder.glob("* 1/*.dcm"))[:3]
    first.unlink()
    second.write_bytes(second.read_bytes()[:-2000])
    state, content = third.stat(), bytearray(third.read_bytes())
    content[-600:-500] = bytes(100)
    third.write_bytes(content)
    os.utime(third, ns=(state.st_mtime_ns, state.st_mtime_ns))


def marks_in(content: bytes) -> list[str]:
    """The marks in the bytes, in ASCII, UTF-8 or UTF-16, also inside what is packed there."""
    return sorted({mark for part in _unfolded(content) for mark in MARKS if _holds(part, mark)})


def _holds(part: bytes, mark: str) -> bool:
    return mark.encode() in part or mark.encode("utf-16-le") in part


def _unfolded(content: bytes) -> Iterator[bytes]:
    """The bytes as they are, then all that they hold in packed form."""
    yield content
    if content.startswith(b"PAR1"):
        table = pq.read_table(io.BytesIO(content))
        yield repr((table.to_pylist(), table.schema.metadata)).encode()
    elif content.startswith(b"PK\x03\x04"):  # also a checkpoint
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield repr(archive.namelist()).encode()
            for name in archive.namelist():
                yield from _unfolded(archive.read(name))
    elif content.startswith(b"\x1f\x8b"):
        yield from _unfolded(zlib.decompress(content, 31))
    elif content.startswith(b"\x89PNG"):
        yield from _png_chunks(content)
    for packed in re.findall(rb"base64,([A-Za-z0-9+/=]+)", content):
        yield from _unfolded(base64.b64decode(packed))


def _png_chunks(content: bytes) -> Iterator[bytes]:
    """The texts of a PNG file, unpacked; PNG specification 11.3.3."""
    at = 8
    while at < len(content):
        length = int.from_bytes(content[at : at + 4])
        kind, data = content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        if kind in (b"zTXt", b"iTXt", b"iCCP"):
            for start in (m.start() for m in re.finditer(rb"\x78[\x01\x5e\x9c\xda]", data)):
                yield zlib.decompressobj().decompress(data[start:])
        at += 12 + length
