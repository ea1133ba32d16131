"""One DICOM object, opened: of the kind that is taken, and where the bytes of its frames lie.

Checks run from cheap to dear, so that a file which is not ours, or not sane, costs as little as can
be.
"""

from dataclasses import dataclass
from typing import Final

from pydicom.dataset import Dataset

from dali_pipelines.dicom import (
    frame_split,
    functional_groups,
    grayscale_tags,
    header,
    pixel_format,
)
from dali_pipelines.dicom.encapsulation import Payload, PixelElement
from dali_pipelines.dicom.file_meta import FileMeta, read_file_meta
from dali_pipelines.dicom.frame_split import split_frames
from dali_pipelines.dicom.functional_groups import FunctionalGroups
from dali_pipelines.dicom.header import class_uid
from dali_pipelines.dicom.object_kind import (
    number_of_frames,
    require_gray,
    require_projection,
    require_radiograph,
)
from dali_pipelines.dicom.pixel_format import PixelFormat, read_pixel_format
from dali_pipelines.dicom.read_options import ReadOptions
from dali_pipelines.dicom.tag_parser import ParsedTags, parse_tags
from dali_pipelines.dicom.tag_values import raw_element
from dali_pipelines.dicom.uids import DEFLATED, PROJECTION_CLASSES, is_secondary_capture
from dali_pipelines.records import Storage
from dali_pipelines.storage.archive import OpenSource
from dali_pipelines.storage.byte_view import ByteView, MemoryBytes
from dali_pipelines.storage.inflate import inflate, inflated_size
from dali_pipelines.verdicts import Reason, RejectError

WANTED_TAGS: Final[tuple[str | int, ...]] = (
    *header.TAGS,
    *pixel_format.TAGS,
    *grayscale_tags.TAGS,
    *functional_groups.TAGS,
)

_PIXEL_DATA: Final = 0x7FE00010


@dataclass(frozen=True, slots=True)
class DataSet:
    """The bytes that a data set is parsed from: the file's, or what they unfold to."""

    view: ByteView
    start: int
    storage: Storage
    base: int


@dataclass(frozen=True, slots=True)
class ImageObject:
    """What holds for all frames of an object; `payloads` has an entry for each frame."""

    meta: FileMeta
    data_set: DataSet
    sop_class: str
    form: PixelFormat
    pixels: PixelElement
    payloads: tuple[Payload, ...]
    groups: FunctionalGroups


def read_object(opened: OpenSource, options: ReadOptions) -> ImageObject:
    """The object in an open file or member; call it within `quiet_pydicom`.

    Raises RejectError for another kind of object than is taken, and for a damaged one. Of the
    codestreams nothing is read but their first bytes.
    """
    meta = read_file_meta(opened.view)
    data_set = _find_data_set(opened, meta, options)
    several = options.frames != "error"
    wanted = (*WANTED_TAGS, *(frame_split.TAGS if several else ()))
    parsed = parse_tags(data_set.view, data_set.start, meta.transfer_syntax_uid, wanted)
    sop_class = class_uid(parsed.dataset, meta)
    if not options.any_modality:
        require_radiograph(parsed.dataset, sop_class)
    require_projection(
        parsed.dataset,
        sop_class,
        accept_processing=options.accept_processing,
        accept_frames=several,
    )
    pixels = _require_pixels(parsed, sop_class)
    require_gray(parsed.dataset)
    form = read_pixel_format(parsed.dataset, options.max_pixels)
    count = number_of_frames(parsed.dataset)
    payloads = split_frames(data_set.view, pixels, count, form.native_bytes, parsed.dataset)
    groups = FunctionalGroups(data_set.view, parsed, count)
    return ImageObject(meta, data_set, sop_class, form, pixels, payloads, groups)


def _find_data_set(opened: OpenSource, meta: FileMeta, options: ReadOptions) -> DataSet:
    """Where to parse from; a deflated data set is unfolded into memory, under the cap."""
    if meta.transfer_syntax_uid != DEFLATED:
        return DataSet(opened.view, meta.end, opened.storage, opened.base)
    size = inflated_size(opened.view, meta.end, options.max_inflated)
    return DataSet(MemoryBytes(inflate(opened.view, meta.end, size)), 0, "deflated", 0)


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
    projection = sop_class in PROJECTION_CLASSES or is_secondary_capture(sop_class)
    return projection or raw_element(dataset, "Rows") is not None
