"""Images that occur twice: which of them stay, and which share a codestream under two names.

The scan calls this once all headers are read, so that the answer does not depend on which worker
was first.
"""

from collections.abc import Sequence

import numpy as np

from dali_pipelines.reader import read_encoded
from dali_pipelines.records import ImageRecord
from dali_pipelines.verdicts import Reason, Reject, RejectError


def by_input(records: Sequence[ImageRecord]) -> list[list[ImageRecord]]:
    """The records of each input together, in order: one image, or one for each of its frames."""
    inputs: dict[tuple[str, str], list[ImageRecord]] = {}
    for record in records:
        inputs.setdefault((record.location.path, record.location.member), []).append(record)
    return list(inputs.values())


def settle_duplicates(
    records: Sequence[ImageRecord],
) -> tuple[list[ImageRecord], list[Reject]]:
    """The records of the first input of each SOP Instance UID, and a reject for each later input.

    A later one with the same codestreams, frame by frame, is a duplicate; one with others is a
    conflict, since two objects may never share a UID (PS3.3 C.12.1).
    """
    first: dict[str, list[ImageRecord]] = {}
    rejects = []
    for images in by_input(records):
        kept = first.setdefault(images[0].tags.sop_instance_uid, images)
        if kept is not images:
            rejects.append(_reject(images, kept))
    return [record for images in first.values() for record in images], rejects


def _reject(images: Sequence[ImageRecord], kept: Sequence[ImageRecord]) -> Reject:
    other = f"image {kept[0].image_id}"  # not its path, which may hold a name
    if _same_frames(images, kept):
        reason, detail = Reason.DUPLICATE, f"the same codestream as {other}, which was kept"
    else:
        reason = Reason.DUPLICATE_CONFLICT
        detail = f"the SOP Instance UID of {other}, which was kept, but not its codestream"
    place = images[0].location
    return Reject(place.path, place.member, images[0].image_id, "compare", reason, detail)


def _same_frames(images: Sequence[ImageRecord], kept: Sequence[ImageRecord]) -> bool:
    if [image.tags.frame for image in images] != [image.tags.frame for image in kept]:
        return False
    return all(map(_same_codestream, images, kept))


def _same_codestream(one: ImageRecord, other: ImageRecord) -> bool:
    """By hash, else byte by byte; False where a codestream cannot be read."""
    if one.sha256 and other.sha256:
        return one.sha256 == other.sha256
    try:
        first, second = read_encoded(one).data, read_encoded(other).data
    except RejectError:
        return False
    return np.array_equal(first, second)
