"""One file, or member of an archive -> ImageRecords: what its header says, where its pixels lie.

The only reader of headers; nothing is decoded. `image_object` has the checks of the whole object,
here each frame's codestream is held to the header and proved complete. `pgm` has pictures without
a header.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from itertools import chain

import numpy as np

from dali_pipelines.codestream.stream import bare_codestream, prove_complete
from dali_pipelines.dicom.frames import choose_frames, frame_number, name_of
from dali_pipelines.dicom.grayscale_tags import read_grayscale
from dali_pipelines.dicom.header import check_tags, read_tags
from dali_pipelines.dicom.image_object import ImageObject, read_object
from dali_pipelines.dicom.maximum import compare_frames, require_alike, require_small
from dali_pipelines.dicom.read_options import ReadOptions
from dali_pipelines.dicom.stream_identity import Identified, identify
from dali_pipelines.dicom.tag_parser import quiet_pydicom
from dali_pipelines.identity import image_id
from dali_pipelines.pgm import is_pgm, read_pgm
from dali_pipelines.records import ImageRecord, Location
from dali_pipelines.storage.archive import Source, open_source, require_crc
from dali_pipelines.storage.byte_view import ByteView
from dali_pipelines.verdicts import Flag, Reason, RejectError

__all__ = ["ReadOptions", "read_image", "read_images"]


def read_image(source: Source, key: bytes, options: ReadOptions) -> ImageRecord:
    """The record of the one image in `source`; errors as `read_images`.

    ValueError where `options.frames` is "all" and there are several.
    """
    (record,) = read_images(source, key, options)
    return record


def read_images(source: Source, key: bytes, options: ReadOptions) -> tuple[ImageRecord, ...]:
    """The records of the images in `source`: one, but for `frames` "all" one a frame.

    `key` makes their image ids. Raises RejectError for anything that gives no image, be it another
    kind of object or a damaged file; one bad frame costs all of them.
    """
    with open_source(source, options.max_inflated) as opened, quiet_pydicom():
        if is_pgm(opened.view):
            return (read_pgm(opened, source, key, options),)
        whole = read_object(opened, options)
        place = Location(
            path=source.path,
            member=source.member,
            storage=whole.data_set.storage,
            fragments=(),
            file_size=opened.file_size,
            mtime_ns=opened.mtime_ns,
        )
        chosen = choose_frames(options.frames, len(whole.payloads))
        records = tuple(_read_record(whole, frames, place, key, options) for frames in chosen)
        if options.hash:
            require_crc(opened)
    return records


def _read_record(
    whole: ImageObject, frames: tuple[int, ...], place: Location, key: bytes, options: ReadOptions
) -> ImageRecord:
    """The record of the image that these frames make: one frame, or the maximum over several."""
    found = [_identify(whole, frame) for frame in frames]
    require_alike([part.stream for part in found])
    seen, number = whole.groups.seen_by(frames[0]), frame_number(frames, len(whole.payloads))
    tags = read_tags(seen, whole.meta, whole.form)
    tags = replace(tags, number_of_frames=len(whole.payloads), frame=number)
    read = partial(
        read_grayscale,
        sop_class_uid=whole.sop_class,
        stream=found[0].stream,
        pixel_format=whole.form,
    )
    grayscale, gray_flags = read(seen)
    if len(frames) > 1:
        gray_flags += compare_frames(chain([seen], map(whole.groups.seen_by, frames[1:])), read)
    digest, proof_flags = _prove(whole.data_set.view, found, options)
    flags = (
        *whole.form.flags,
        *(flag for part in found for flag in part.flags),
        *proof_flags,
        *check_tags(seen, tags),
        *gray_flags,
    )
    return ImageRecord(
        image_id=image_id(key, name_of(tags.sop_instance_uid, number, options.frames)),
        tags=tags,
        location=_at(place, whole.data_set.base, found),
        stream=found[0].stream,
        grayscale=grayscale,
        sha256=digest,
        flags=tuple(flag.value for flag in dict.fromkeys(flags)),
    )


def _identify(whole: ImageObject, frame: int) -> Identified:
    """The codestream of one frame, held to the header."""
    view, payload = whole.data_set.view, whole.payloads[frame]
    return identify(view, whole.pixels, payload, whole.meta.transfer_syntax_uid, whole.form)


def _prove(
    view: ByteView, found: Sequence[Identified], options: ReadOptions
) -> tuple[str, tuple[Flag, ...]]:
    """SHA-256 of the bare codestreams, and the flags of complete ones; ("", ()) if unasked.

    Without padding, trailing bytes and JP2 boxes, so that equal codestreams have equal hashes; of
    several frames one after another.
    """
    sizes = [sum(length for _, length in part.fragments) for part in found]
    size = max(sizes) if found[0].stream.kind == "raw" else sum(sizes)  # what is held at once
    if size > options.max_inflated:
        raise RejectError(
            Reason.TOO_LARGE,
            f"the codestream has {size} bytes, more than the limit of {options.max_inflated}",
        )
    if len(found) > 1:
        require_small(size)
    if not options.hash:
        return "", ()
    digest, flags = hashlib.sha256(), list[Flag]()
    for part, needed in zip(found, sizes, strict=True):
        data = np.empty(needed, np.uint8).data
        done = 0
        for offset, length in part.fragments:
            view.fill(offset, data[done : done + length])
            done += length
        flags += prove_complete(data, part.stream)
        digest.update(bare_codestream(data, part.stream))
    return digest.hexdigest(), tuple(flags)


def _at(place: Location, base: int, found: Sequence[Identified]) -> Location:
    """The same file, with the fragments of the frames."""
    counts = tuple(len(part.fragments) for part in found)
    fragments = ((base + offset, length) for part in found for offset, length in part.fragments)
    return replace(
        place, fragments=tuple(fragments), frame_fragments=counts if len(counts) > 1 else ()
    )
