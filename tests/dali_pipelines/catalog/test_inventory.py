"""The inventory: counts that a hand can check, and no id among them."""

from collections.abc import Callable

import pandas as pd

from dali_pipelines.catalog.inventory import take_inventory
from dali_pipelines.manifest_rows import to_frame
from dali_pipelines.records import ImageRecord
from dali_pipelines.rejects.counts import VerdictCounts, count_verdicts
from dali_pipelines.verdicts import Reason, Reject

RecordOf = Callable[..., ImageRecord]
J2K, JPEG = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.70"


def exam(record_of: RecordOf, patient: str, exam_id: str, *views: str, **more: object):
    sides = [view.split() for view in views]
    return [
        record_of(patient_id=patient, exam_id=exam_id, laterality=side, view=view, **more)
        for side, view in sides
    ]


def verdicts(frame: pd.DataFrame, *reasons: Reason) -> VerdictCounts:
    rejects = [Reject("/secret/p", "", "", "read", reason, "x") for reason in reasons]
    return count_verdicts(len(frame) + len(reasons), frame["flags"].map(len) > 0, rejects)


def test_counts_by_hand(record_of: RecordOf) -> None:
    whole = exam(record_of, "MRN1", "E1", "L CC", "L MLO", "R CC", "R MLO", transfer_syntax_uid=J2K)
    half = exam(
        record_of, "MRN1", "E2", "L CC", "R MLO", transfer_syntax_uid=JPEG, manufacturer="GE",
        sha256="same", flags=("sc", "no_view"),
    )  # fmt: skip
    other = exam(record_of, "MRN2", "E1", "R XCCL", precision=16, transfer_syntax_uid="9.9")
    frame = to_frame([*whole, *half, *other])
    frame["cancer"] = pd.array([1, 1, 0, 0, None, None, 0], dtype="Int8")
    bad = (Reason.DUPLICATE, Reason.DUPLICATE, Reason.DUPLICATE_CONFLICT, Reason.EMPTY)
    found = take_inventory(frame, verdicts(frame, *bad)).to_dict()
    assert found["inputs"] == {"ok": 5, "flagged": 2, "skipped": 2, "failed": 2}
    assert [found[name] for name in ("images", "patients", "exams")] == [7, 2, 3]
    assert found["incomplete_exams"] == 2
    assert found["missing view"] == {"L MLO": 2, "R CC": 2, "L CC": 1, "R MLO": 1}
    assert found["same_pixels"] == 2
    assert found["labels"] == {"positive": 2, "negative": 3, "unlabeled": 2}
    assert found["syntax"] == {
        "JPEG 2000": 4,
        "JPEG lossless, predictor 1": 2,
        "unknown syntax": 1,
    }
    assert found["bits"] == {"12 bits": 6, "16 bits": 1}
    assert found["vendor"] == {"not stated": 5, "GE": 2}
    assert found["view"] == {"L CC": 2, "R MLO": 2, "L MLO": 1, "R CC": 1, "R XCCL": 1}
    assert found["flag"] == {"no_view": 2, "sc": 2}
    assert found["reject"] == {"duplicate": 2, "E_DUP_CONFLICT": 1, "E_EMPTY": 1}


def test_pictures_that_are_no_dicom_have_no_transfer_syntax(record_of: RecordOf) -> None:
    records = [
        record_of(path="/mias/mdb001.pgm", sop_class_uid=""),
        record_of(path="/mias.zip", member="all/MDB002.PGM", sop_class_uid=""),
        record_of(path="/a.pgm", transfer_syntax_uid=J2K, sop_class_uid="1.2"),
        record_of(path="/b.pgm", member="b.dcm", transfer_syntax_uid="", sop_class_uid=""),
    ]
    frame = to_frame(records)
    syntaxes = take_inventory(frame, verdicts(frame)).to_dict()["syntax"]
    assert syntaxes == {"PGM": 2, "JPEG 2000": 1, "not stated": 1}


def test_the_screen_is_aligned_short_and_without_ids(record_of: RecordOf) -> None:
    records = [
        record_of(
            patient_id=f"MRN{i}",
            sop_instance_uid=f"1.2.{i}",
            manufacturer=f"Vendor {i % 40:02}\x1b[2J\n",
            laterality="L",
            view=f"V{i % 30}",
            precision=8 + i % 9,
            flags=(f"flag{i % 20}",),
        )
        for i in range(1200)
    ]
    frame = to_frame(records)
    text = take_inventory(frame, verdicts(frame, *Reason)).text()
    lines = text.splitlines()
    assert len(lines) <= 48
    assert all(line[23].isdigit() and line[24:26] == "  " for line in lines)
    assert "       1,200  images" in text
    assert "        1,080  in 36 more" in text
    assert "MRN" not in text
    assert "1.2.1" not in text
    assert "secret" not in text
    assert "\x1b" not in text


def test_an_exam_is_told_by_its_study_where_it_has_no_number(record_of: RecordOf) -> None:
    records = [
        record_of(patient_id="p", study_instance_uid=study, laterality="L", view="CC")
        for study in ("1", "1", "2", "")
    ]
    frame = to_frame(records)
    found = take_inventory(frame, verdicts(frame))
    assert (found.exams, found.incomplete_exams) == (2, 2)


def test_an_empty_scan_has_an_inventory() -> None:
    found = take_inventory(to_frame([]), verdicts(to_frame([]), Reason.EMPTY))
    assert (found.images, found.patients, found.exams, found.same_pixels) == (0, 0, 0, 0)
    assert found.labels == {}
    assert found.verdicts == {"ok": 0, "flagged": 0, "skipped": 0, "failed": 1}
