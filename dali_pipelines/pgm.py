"""A PGM picture, as mini-MIAS has them, as an ImageRecord: gray pixels and no header to speak of.

The format is that of Netpbm's binary PGM: "P5", width, height and greatest value in ASCII with
spaces or comments between them, one space, then rows of 1 byte a pixel, or of 2, the higher first.
Patient, side and view can only come from a label table.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Final

import numpy as np

from dali_pipelines.dicom.read_options import ReadOptions
from dali_pipelines.dicom.uids import EXPLICIT_BIG_ENDIAN, EXPLICIT_LITTLE_ENDIAN
from dali_pipelines.identity import image_id
from dali_pipelines.records import Grayscale, ImageRecord, ImageTags, Location, StreamInfo
from dali_pipelines.storage.archive import OpenSource, Source
from dali_pipelines.storage.byte_view import ByteView
from dali_pipelines.verdicts import Flag, Reason, RejectError

_MAGIC: Final = b"P5"
_GAP: Final = rb"(?:\s|#[^\r\n]*[\r\n])+"
_NUMBER: Final = _GAP + rb"(\d{1,5})"
_HEADER: Final = re.compile(_MAGIC + 3 * _NUMBER + rb"\s")
_HEAD_BYTES: Final = 4096  # more than any header with its comments
_MAX_SIDE: Final = 65535  # as that of a DICOM image
_FLAGS: Final = (Flag.NO_LATERALITY, Flag.NO_VIEW)


@dataclass(frozen=True, slots=True)
class _Header:
    width: int
    height: int
    bits: int
    start: int

    @property
    def cell_bytes(self) -> int:
        return 1 if self.bits <= 8 else 2

    @property
    def size(self) -> int:
        return self.width * self.height * self.cell_bytes


def is_pgm(view: ByteView) -> bool:
    """Whether the bytes begin as a binary PGM does."""
    head = view.peek(0, 3)
    return head[:2] == _MAGIC and head[2:].isspace()


def read_pgm(opened: OpenSource, source: Source, key: bytes, options: ReadOptions) -> ImageRecord:
    """The record of one PGM picture; its UID is made from a hash of its pixels (PS3.5 B.2).

    All of it is read, since it has no other name of its own. RejectError: HEADER, TRUNCATED,
    TOO_LARGE above `max_pixels`.
    """
    header = _read_header(opened.view, options.max_pixels)
    data = np.empty(header.size, np.uint8).data
    opened.view.fill(header.start, data)
    digest = hashlib.sha256(data).hexdigest()
    shape = f"{header.height} {header.width} {header.bits} "
    uid = f"2.25.{int(hashlib.sha256((shape + digest).encode()).hexdigest()[:32], 16)}"
    return ImageRecord(
        image_id=image_id(key, uid),
        tags=_tags(header, uid),
        location=Location(
            path=source.path,
            member=source.member,
            storage=opened.storage,
            fragments=((opened.base + header.start, header.size),),
            file_size=opened.file_size,
            mtime_ns=opened.mtime_ns,
        ),
        stream=StreamInfo("raw", header.height, header.width, 1, header.bits, signed=False),
        grayscale=Grayscale(bits=header.bits, bits_stored=header.bits),
        sha256=digest if options.hash else "",
        flags=_flags(header, opened.view),
    )


def _flags(header: _Header, view: ByteView) -> tuple[str, ...]:
    """Those of each PGM, and whether more follows the picture, such as a second one."""
    more = [Flag.EXCESS_BYTES] if view.size > header.start + header.size else []
    return tuple(flag.value for flag in (*more, *_FLAGS))


def _read_header(view: ByteView, max_pixels: int) -> _Header:
    match = _HEADER.match(view.peek(0, _HEAD_BYTES))
    if match is None:
        raise RejectError(Reason.HEADER, "the PGM header lacks width, height or greatest value")
    width, height, greatest = map(int, match.groups())
    if not (1 <= width <= _MAX_SIDE and 1 <= height <= _MAX_SIDE and 1 <= greatest < 1 << 16):
        raise RejectError(
            Reason.HEADER,
            f"the PGM header says {width} x {height} px of values up to {greatest}; "
            "all must be 1-65535",
        )
    if width * height > max_pixels:
        raise RejectError(
            Reason.TOO_LARGE,
            f"the image has {height} x {width} pixels, more than the limit of {max_pixels}",
        )
    return _Header(width, height, greatest.bit_length(), match.end())


def _tags(header: _Header, uid: str) -> ImageTags:
    syntax = EXPLICIT_LITTLE_ENDIAN if header.cell_bytes == 1 else EXPLICIT_BIG_ENDIAN
    return ImageTags(
        sop_instance_uid=uid,
        study_instance_uid="",
        series_instance_uid="",
        sop_class_uid="",
        patient_id="",
        exam_id="",
        laterality="",
        view="",
        view_modifiers=(),
        implant=None,
        intent="",
        manufacturer="",
        model_name="",
        modality="",
        age_years=None,
        rows=header.height,
        columns=header.width,
        bits_allocated=8 * header.cell_bytes,
        bits_stored=header.bits,
        high_bit=header.bits - 1,
        signed=False,
        photometric="MONOCHROME2",
        transfer_syntax_uid=syntax,
        spacing_mm=None,
    )
