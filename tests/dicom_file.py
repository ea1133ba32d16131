"""DICOM files built byte by byte, for what no writer would write."""

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydicom.datadict import dictionary_VR, tag_for_keyword


class DicomFile:
    """A DICOM file of hand-made bytes; PS3.5 section 7 and PS3.10 section 7.

    `tags` maps keywords to text, numbers, bytes (taken as they are), or lists of such maps, which
    become sequences; None leaves the tag out. `vrs` overrules the dictionary. `pixels` are native
    bytes, or a list of fragments that follow the offset table `table`.
    """

    LONG = ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "UC", "UN", "UR", "UT")
    CODES = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d"}  # noqa: RUF012

    def __init__(self, **tags: Any) -> None:
        self.tags: dict[str, Any] = {
            "SOPClassUID": "1.2.840.10008.5.1.4.1.1.1.2",
            "SOPInstanceUID": "1.2.3.4",
            "Modality": "MG",
            "PresentationIntentType": "FOR PRESENTATION",
            "PatientID": "p1",
            "StudyInstanceUID": "1.2.3",
            "SamplesPerPixel": 1,
            "PhotometricInterpretation": "MONOCHROME2",
            "Rows": 4,
            "Columns": 6,
            "BitsAllocated": 16,
            "BitsStored": 12,
            "HighBit": 11,
            "PixelRepresentation": 0,
            "WindowCenter": "2048",
            "WindowWidth": "4096",
            "ImageLaterality": "L",
            "ViewPosition": "CC",
            **tags,
        }
        self.vrs: dict[str, str] = {}
        self.syntax: str | None = "1.2.840.10008.1.2.1"
        self.implicit = self.big = False
        self.pixels: bytes | Sequence[bytes] | None = bytes(range(48))
        self.pixel_vr, self.table, self.delimiter = "OW", b"", True

    def meta(self) -> bytes:
        uids = [(2, "1.2.840.10008.5.1.4.1.1.1.2"), (3, "1.2.3.4"), (0x10, self.syntax)]
        body = b"".join(
            struct.pack("<HH2sH", 2, number, b"UI", len(uid) + len(uid) % 2)
            + uid.encode()
            + b"\0" * (len(uid) % 2)
            for number, uid in uids
            if uid is not None
        )
        return struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(body)) + body

    def data_set(self) -> bytes:
        return self.elements(self.tags) + self.pixel_element()

    def encode(self) -> bytes:
        return bytes(128) + b"DICM" + self.meta() + self.data_set()

    def write(self, path: Path) -> Path:
        path.write_bytes(self.encode())
        return path

    def elements(self, tags: dict[str, Any]) -> bytes:
        found = {name: value for name, value in tags.items() if value is not None}
        return b"".join(
            self.element(tag_for_keyword(name), self.vr(name), found[name])
            for name in sorted(found, key=tag_for_keyword)
        )

    def vr(self, name: str) -> str:
        return self.vrs.get(name, dictionary_VR(name).split(" or ")[0])

    def element(self, tag: int, vr: str, value: Any) -> bytes:
        data = self.value(vr, value)
        return self.head(tag, vr, len(data)) + data

    def head(self, tag: int, vr: str, length: int) -> bytes:
        order = ">" if self.big else "<"
        group = struct.pack(f"{order}HH", tag >> 16, tag & 0xFFFF)
        if self.implicit:
            return group + struct.pack(f"{order}I", length)
        if vr in self.LONG:
            return group + vr.encode() + struct.pack(f"{order}HI", 0, length)
        return group + vr.encode() + struct.pack(f"{order}H", length)

    def value(self, vr: str, value: Any) -> bytes:
        order = ">" if self.big else "<"
        if isinstance(value, list):
            items = [self.elements(item) for item in value]
            heads = [struct.pack(f"{order}HHI", 0xFFFE, 0xE000, len(item)) for item in items]
            return b"".join(head + item for head, item in zip(heads, items, strict=True))
        if vr in self.CODES and not isinstance(value, bytes):
            values = value if isinstance(value, tuple) else (value,)
            return struct.pack(f"{order}{len(values)}{self.CODES[vr]}", *values)
        data = value if isinstance(value, bytes) else str(value).encode("latin-1")
        return data + (b"\0" if vr == "UI" else b" ") * (len(data) % 2)

    def pixel_element(self) -> bytes:
        if self.pixels is None:
            return b""
        if isinstance(self.pixels, bytes):
            return self.head(0x7FE00010, self.pixel_vr, len(self.pixels)) + self.pixels
        parts = [part + b"\0" * (len(part) % 2) for part in (self.table, *self.pixels)]
        items = b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(p)) + p for p in parts)
        end = struct.pack("<HHI", 0xFFFE, 0xE0DD, 0) if self.delimiter else b""
        return self.head(0x7FE00010, "OB", 0xFFFFFFFF) + items + end
