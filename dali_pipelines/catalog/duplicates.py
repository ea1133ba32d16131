"""Images that occur twice: which of them stay, and which share a codestream under two names.

The scan calls this once all headers are read, so that the answer does not depend on which worker
was first.
"""

from collections.abc import Sequence

from dali_pipelines.records import ImageRecord
from dali_pipelines.verdicts import Reason, Reject


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
    where = kept.location
    name = f"{where.path} {where.member}".rstrip()
    if _content(record) == _content(kept):
        reason, detail = Reason.DUPLICATE, f"the same image as {name}, which was kept"
    else:
        reason = Reason.DUPLICATE_CONFLICT
        detail = f"the SOP Instance UID of {name}, which was kept, but other pixels"
    place = record.location
    return Reject(place.path, place.member, record.image_id, "compare", reason, detail)


def _content(record: ImageRecord) -> tuple[object, ...]:
    """What equal codestreams have in common: the hash, else their size in bytes and geometry."""
    if record.sha256:
        return (record.sha256,)
    return sum(length for _, length in record.location.fragments), record.stream
