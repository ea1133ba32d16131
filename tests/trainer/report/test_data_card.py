"""The data card: counts worked by hand, unknown values apart, rare ones together."""

import pandas as pd

from dali_pipelines.manifest_rows import to_frame
from trainer.evaluation.groups import MOST_VALUES
from trainer.report.data_card import Count, data_card


def frame_of(record_of, rows: list[dict]) -> pd.DataFrame:
    """A manifest of images (patient, cancer and header fields)."""
    records = [
        record_of(
            **{
                "image_id": f"{k:032x}",
                "sop_instance_uid": f"1.{k}",
                "study_instance_uid": f"2.{row['patient_id']}",
                **{name: value for name, value in row.items() if name not in {"cancer", "density"}},
            }
        )
        for k, row in enumerate(rows)
    ]
    cancer = pd.array([row.get("cancer") for row in rows], dtype="Int8")
    frame = to_frame(records).assign(cancer=cancer)
    return frame.assign(density=[row.get("density", "") for row in rows])


def test_images_patients_and_prevalence(record_of) -> None:
    rows = [
        {"patient_id": "a", "cancer": 1, "manufacturer": "HOLOGIC, Inc.", "density": "B"},
        {"patient_id": "a", "cancer": 0, "manufacturer": "LORAD", "density": "B"},
        {"patient_id": "b", "cancer": 0, "manufacturer": "SIEMENS", "density": "C"},
        {"patient_id": "c", "cancer": None, "manufacturer": "SIEMENS"},
    ]
    card = data_card(frame_of(record_of, rows))
    assert card.whole == Count("all", images=4, patients=3, labeled=2, positive=1)
    assert card.whole.prevalence == 0.5
    assert (card.exams, card.labeled_images, card.positive_images) == (3, 3, 1)
    assert card.parts["vendor"] == [
        Count("Hologic", images=2, patients=1, labeled=1, positive=1),
        Count("Siemens", images=2, patients=2, labeled=1, positive=0),
    ]
    assert [part.name for part in card.parts["density"]] == ["B", "C", "unknown"]
    assert card.parts["density"][2].prevalence is None


def test_a_column_with_one_value_is_said_in_a_sentence_and_an_unknown_one_not_at_all(
    record_of,
) -> None:
    rows = [{"patient_id": p, "cancer": 0, "laterality": "L", "view": ""} for p in "ab"]
    card = data_card(frame_of(record_of, rows))
    assert card.constants == {"laterality": "L"}
    assert card.parts == {}


def test_many_rare_values_are_one_row(record_of) -> None:
    rows = [
        {"patient_id": f"p{k}", "cancer": 0, "manufacturer": f"Maker {k:02d}"} for k in range(30)
    ] + [{"patient_id": "p0", "cancer": 0, "manufacturer": "Maker 00"}]
    parts = data_card(frame_of(record_of, rows)).parts["vendor"]
    assert len(parts) == MOST_VALUES + 1
    assert parts[0] == Count("Maker 00", images=2, patients=1, labeled=1, positive=0)
    assert parts[-1] == Count("10 others", images=10, patients=10, labeled=10, positive=0)
    assert sum(part.images for part in parts) == 31


def test_flags_come_with_their_meaning_and_labels_with_their_rule(record_of) -> None:
    rows = [
        {"patient_id": "a", "cancer": 0, "flags": ("jp2_box", "spot")},
        {"patient_id": "b", "cancer": 0, "flags": ("spot",)},
    ]
    frame = frame_of(record_of, rows).assign(label_rule=["rsna/cancer", ""])
    card = data_card(frame)
    assert [(code, images) for code, _, images in card.flags] == [("spot", 2), ("jp2_box", 1)]
    assert all(meaning for _, meaning, _ in card.flags)
    assert card.label_rules == ["rsna/cancer"]


def test_a_manifest_without_labels_has_a_card(record_of) -> None:
    frame = frame_of(record_of, [{"patient_id": "a"}]).drop(columns=["cancer"])
    card = data_card(frame)
    assert card.whole == Count("all", images=1, patients=1, labeled=0, positive=0)
    assert card.whole.prevalence is None
