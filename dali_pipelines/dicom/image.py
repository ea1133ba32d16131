"""One file, or zip member, -> ImageRecord: what the header says, and where the codestream lies.

The only reader of headers; nothing is decoded. Checks run from cheap to dear, so that a file which
is not ours, or not sane, costs as little as can be.
"""

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np
from pydicom.dataset import Dataset

from dali_pipelines.codestream.stream import bare_codestream, prove_complete
from dali_pipelines.dicom import grayscale_tags, header, pixel_format
from dali_pipelines.dicom.encapsulation import PixelElement, find_payload
from dali_pipelines.dicom.file_meta import FileMeta, read_file_meta
from dali_pipelines.dicom.grayscale_tags import read_grayscale
from dali_pipelines.dicom.header import check_tags, class_uid, read_tags
from dali_pipelines.dicom.object_kind import require_gray, require_projection, require_radiograph
from dali_pipelines.dicom.pixel_format import read_pixel_format
from dali_pipelines.dicom.stream_identity import Identified, identify
from dali_pipelines.dicom.tag_parser import ParsedTags, parse_tags, quiet_pydicom
from dali_pipelines.dicom.tag_values import raw_element
from dali_pipelines.dicom.uids import DEFLATED, PROJECTION_CLASSES
from dali_pipelines.identity import image_id
from dali_pipelines.records import ImageRecord, Location, Storage
from dali_pipelines.storage.archive import (
    MAX_INFLATED_BYTES,
    OpenSource,
    Source,
    open_source,
    require_crc,
)
from dali_pipelines.storage.byte_view import ByteView, MemoryBytes
from dali_pipelines.storage.inflate import inflate, inflated_size
from dali_pipelines.verdicts import Flag, Reason, RejectError

WANTED_TAGS: Final[tuple[str | int, ...]] = (*header.TAGS, *pixel_format.TAGS, *grayscale_tags.TAGS)

_PIXEL_DATA: Final = 0x7FE00010


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What to accept, and how thoroughly to look.

    `hash`: read the whole codestream, take its SHA-256 and prove it complete, and hold a stored zip
    member to its CRC-32; else only the codestream's head is read. `any_modality`: take images of
    CT, MR and the like, which are no radiographs, as well. `max_pixels` bounds rows x columns,
    `max_inflated` the bytes that compressed data may unfold to.
    """

    hash: bool = True
    accept_processing: bool = False
    any_modality: bool = False
    max_pixels: int = 100_000_000  # five times the largest mammogram
    max_inflated: int = MAX_INFLATED_BYTES


@dataclass(frozen=True, slots=True)
class _DataSet:
    """The bytes that a data set is parsed from: the file's, or what they unfold to."""

    view: ByteView
    start: int
    storage: Storage
    base: int


def read_image(source: Source, key: bytes, options: ReadOptions) -> ImageRecord:
    """The record of the one image in `source`; `key` makes its image id.

    Raises RejectError for anything that gives no image, be it another kind of object or a damaged
    file.
    """
    with open_source(source, options.max_inflated) as opened, quiet_pydicom():
        meta = read_file_meta(opened.view)
        data_set = _find_data_set(opened, meta, options)
        parsed = parse_tags(data_set.view, data_set.start, meta.transfer_syntax_uid, WANTED_TAGS)
        sop_class = class_uid(parsed.dataset, meta)
        if not options.any_modality:
            require_radiograph(parsed.dataset, sop_class)
        require_projection(parsed.dataset, sop_class, accept_processing=options.accept_processing)
        pixels = _require_pixels(parsed, sop_class)
        require_gray(parsed.dataset)
        form = read_pixel_format(parsed.dataset, options.max_pixels)
        payload = find_payload(data_set.view, pixels)
        found = identify(data_set.view, pixels, payload, meta.transfer_syntax_uid, form)
        tags = read_tags(parsed.dataset, meta, form)
        grayscale, gray_flags = read_grayscale(parsed.dataset, sop_class, found.stream, form)
        digest, proof_flags = _prove(data_set.view, found, options)
        if options.hash:
            require_crc(opened)
    flags = (
        *form.flags,
        *found.flags,
        *proof_flags,
        *check_tags(parsed.dataset, tags),
        *gray_flags,
    )
    return ImageRecord(
        image_id=image_id(key, tags.sop_instance_uid),
        tags=tags,
        location=_location(source, opened, data_set, found),
        stream=found.stream,
        grayscale=grayscale,
        sha256=digest,
        flags=tuple(flag.value for flag in dict.fromkeys(flags)),
    )


def _find_data_set(opened: OpenSource, meta: FileMeta, options: ReadOptions) -> _DataSet:
    """Where to parse from; a deflated data set is unfolded into memory, under the cap."""
    if meta.transfer_syntax_uid != DEFLATED:
        return _DataSet(opened.view, meta.end, opened.storage, opened.base)
    size = inflated_size(opened.view, meta.end, options.max_inflated)
    return _DataSet(MemoryBytes(inflate(opened.view, meta.end, size)), 0, "deflated", 0)


def _require_pixels(parsed: ParsedTags, sop_class: str) -> PixelElement:
    """The pixel data element; otherwise the reason why there is none."""
    if parsed.pixels is not None and parsed.pixels.tag == _PIXEL_DATA:
        return parsed.pixels
    if parsed.pixels is not None:
        raise RejectError(
            Reason.UNSUPPORTED, "the pixels are floating-point numbers; only integers are taken"
        )
    if parsed.cut_short:
        raise RejectError(Reason.TRUNCATED, "the file ends before its pixel data; fetch it again")
    if _is_meant_as_image(parsed.dataset, sop_class):
        raise RejectError(
            Reason.NO_PIXELS, "the image has no pixel data; the file may have been cut short"
        )
    raise RejectError(Reason.NOT_AN_IMAGE, "the object has no pixel data")


def _is_meant_as_image(dataset: Dataset, sop_class: str) -> bool:
    return sop_class in PROJECTION_CLASSES or raw_element(dataset, "Rows") is not None


def _prove(view: ByteView, found: Identified, options: ReadOptions) -> tuple[str, tuple[Flag, ...]]:
    """SHA-256 of the bare codestream, and the flags of a complete one; ("", ()) if unasked.

    Without padding, trailing bytes and JP2 boxes, so that equal codestreams have equal hashes.
    """
    size = sum(length for _, length in found.fragments)
    if size > options.max_inflated:
        raise RejectError(
            Reason.TOO_LARGE,
            f"the codestream has {size} bytes, more than the limit of {options.max_inflated}",
        )
    if not options.hash:
        return "", ()
    data = np.empty(size, np.uint8).data
    done = 0
    for offset, length in found.fragments:
        view.fill(offset, data[done : done + length])
        done += length
    flags = prove_complete(data, found.stream)
    return hashlib.sha256(bare_codestream(data, found.stream)).hexdigest(), flags


def _location(
    source: Source, opened: OpenSource, data_set: _DataSet, found: Identified
) -> Location:
    return Location(
        path=source.path,
        member=source.member,
        storage=data_set.storage,
        fragments=tuple((data_set.base + offset, length) for offset, length in found.fragments),
        file_size=opened.file_size,
        mtime_ns=opened.mtime_ns,
    )
