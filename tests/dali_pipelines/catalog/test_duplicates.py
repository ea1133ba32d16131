"""settle_duplicates: the first of each SOP Instance UID stays."""

from collections.abc import Callable

from dali_pipelines.catalog.duplicates import settle_duplicates
from dali_pipelines.records import ImageRecord
from dali_pipelines.verdicts import Reason

RecordOf = Callable[..., ImageRecord]


def test_the_first_stays_and_the_others_say_why(record_of: RecordOf) -> None:
    first = record_of(sop_instance_uid="1", sha256="a", path="/a", image_id="i")
    again = record_of(sop_instance_uid="1", sha256="a", path="/b", image_id="i")
    other = record_of(sop_instance_uid="1", sha256="b", path="/c", member="m", image_id="i")
    alone = record_of(sop_instance_uid="2", sha256="a", path="/d")
    kept, rejects = settle_duplicates([first, again, other, alone])
    assert kept == [first, alone]
    assert [(r.path, r.member, r.image_id, r.reason) for r in rejects] == [
        ("/b", "", "i", Reason.DUPLICATE),
        ("/c", "m", "i", Reason.DUPLICATE_CONFLICT),
    ]
    assert "/a" in rejects[0].detail


def test_without_a_hash_size_and_geometry_decide(record_of: RecordOf) -> None:
    first = record_of(sop_instance_uid="1", fragments=((10, 30), (50, 20)))
    moved = record_of(sop_instance_uid="1", fragments=((99, 50),))
    longer = record_of(sop_instance_uid="1", fragments=((10, 51),))
    wider = record_of(sop_instance_uid="1", fragments=((10, 50),), width=4)
    _, rejects = settle_duplicates([first, moved, longer, wider])
    assert [r.reason for r in rejects] == [
        Reason.DUPLICATE,
        Reason.DUPLICATE_CONFLICT,
        Reason.DUPLICATE_CONFLICT,
    ]
