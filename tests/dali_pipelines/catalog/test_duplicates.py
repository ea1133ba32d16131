"""settle_duplicates: the first of each SOP Instance UID stays."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dali_pipelines.catalog.duplicates import by_input, settle_duplicates
from dali_pipelines.dicom.image import ReadOptions, read_image
from dali_pipelines.records import ImageRecord
from dali_pipelines.storage.archive import Source
from dali_pipelines.verdicts import Reason

RecordOf = Callable[..., ImageRecord]


def test_the_first_stays_and_the_others_say_why(record_of: RecordOf) -> None:
    first = record_of(sop_instance_uid="1", sha256="a", path="/JANE", member="DOE", image_id="i")
    again = record_of(sop_instance_uid="1", sha256="a", path="/b", image_id="i")
    other = record_of(sop_instance_uid="1", sha256="b", path="/c", member="m", image_id="i")
    alone = record_of(sop_instance_uid="2", sha256="a", path="/d")
    kept, rejects = settle_duplicates([first, again, other, alone])
    assert kept == [first, alone]
    assert [(r.path, r.member, r.image_id, r.reason) for r in rejects] == [
        ("/b", "", "i", Reason.DUPLICATE),
        ("/c", "m", "i", Reason.DUPLICATE_CONFLICT),
    ]
    assert not any("JANE" in r.detail or "DOE" in r.detail for r in rejects)
    assert "image i, which was kept" in rejects[0].detail
    assert "image i, which was kept" in rejects[1].detail


def test_without_a_hash_the_bytes_decide(new_dicom: Callable[..., Any], tmp_path: Path) -> None:
    pixels = {"a": bytes(48), "b": bytes(47) + b"\1", "c": bytes(48), "d": bytes(48)}
    records = []
    for name, data in pixels.items():
        file = new_dicom(PatientID="longer" if name == "c" else "p1")
        file.pixels = data
        path = file.write(tmp_path / name)
        records.append(read_image(Source(str(path)), b"key", ReadOptions(hash=False)))
    (tmp_path / "d").unlink()
    _, rejects = settle_duplicates(records)
    assert [(Path(r.path).name, r.reason) for r in rejects] == [
        ("b", Reason.DUPLICATE_CONFLICT),
        ("c", Reason.DUPLICATE),
        ("d", Reason.DUPLICATE_CONFLICT),
    ]


def test_frames_of_one_input_are_no_duplicates_of_each_other(record_of: RecordOf) -> None:
    def frames(path: str, hashes: str) -> list[ImageRecord]:
        return [
            record_of(
                path=path, sop_instance_uid="1", frame=k, sha256=sha256, image_id=f"{path}{k}"
            )
            for k, sha256 in enumerate(hashes)
        ]

    first, others = frames("/a", "xyz"), [*frames("/b", "xyz"), *frames("/c", "xyw")]
    kept, rejects = settle_duplicates([*first, *others, *frames("/d", "xy")])
    assert kept == first
    assert [(r.path, r.image_id, r.reason) for r in rejects] == [
        ("/b", "/b0", Reason.DUPLICATE),
        ("/c", "/c0", Reason.DUPLICATE_CONFLICT),
        ("/d", "/d0", Reason.DUPLICATE_CONFLICT),
    ]
    assert by_input([*first, *others]) == [first, others[:3], others[3:]]
