"""Images that occur twice: which of them stay, and which share a codestream under two names.

The scan calls this once all headers are read, so that the answer does not depend on which worker
was first.
"""

from collections.abc import Sequence

import numpy as np

from dali_pipelines.reader import read_encoded
from dali_pipelines.records import ImageRecord
from dali_pipelines.verdicts import Reason, Reject, RejectError


def settle_duplicates(
    records: Sequence[ImageRecord],
) -> tuple[list[ImageRecord], list[Reject]]:
    """The first record of each SOP Instance UID, and a reject for each later one.

    A later one with the same codestream is a duplicate; one with another codestream is a
    conflict, since two objects may never share a UID (PS3.3 C.12.1).
    """
    first: dict[str, ImageRecord] = {}
    rejects = []
    for record in records:
        kept = first.setdefault(record.tags.sop_instance_uid, record)
        if kept is not record:
            rejects.append(_reject(record, kept))
    return list(first.values()), rejects


def _reject(record: ImageRecord, kept: ImageRecord) -> Reject:
    other = f"image {kept.image_id}"  # not its path, which may hold a name
    if _same_codestream(record, kept):
        reason, detail = Reason.DUPLICATE, f"the same codestream as {other}, which was kept"
    else:
        reason = Reason.DUPLICATE_CONFLICT
        detail = f"the SOP Instance UID of {other}, which was kept, but not its codestream"
    place = record.location
    return Reject(place.path, place.member, record.image_id, "compare", reason, detail)


def _same_codestream(one: ImageRecord, other: ImageRecord) -> bool:
    """By hash, else byte by byte; False where a codestream cannot be read."""
    if one.sha256 and other.sha256:
        return one.sha256 == other.sha256
    try:
        first, second = read_encoded(one).data, read_encoded(other).data
    except RejectError:
        return False
    return np.array_equal(first, second)
