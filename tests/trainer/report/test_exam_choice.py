"""Which exams are shown: the worst first, none twice, none without a label."""

import pandas as pd

from trainer.report.exam_choice import choose_exams


def exams(rows: dict[str, tuple[float, int | None]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "patient_id": list(rows),
            "exam_id": [f"e{name}" for name in rows],
            "prob": [prob for prob, _ in rows.values()],
            "cancer": pd.array([cancer for _, cancer in rows.values()], dtype="Int64"),
        }
    )


def chosen(table: pd.DataFrame, count: int) -> dict[str, list[str]]:
    return {
        group.title: group.exams["patient_id"].to_list() for group in choose_exams(table, count)
    }


def test_the_worst_of_either_class_come_before_the_best() -> None:
    table = exams(
        {
            "a": (0.9, 1), "b": (0.2, 1), "c": (0.6, 1), "d": (0.4, 1),
            "e": (0.8, 0), "f": (0.1, 0), "g": (0.3, 0), "h": (0.05, 0), "i": (0.5, None),
        }
    )  # fmt: skip
    assert chosen(table, 2) == {
        "Cancer, lowest scores": ["b", "d"],
        "No cancer, highest scores": ["e", "g"],
        "Cancer, highest scores": ["a", "c"],
        "No cancer, lowest scores": ["h", "f"],
    }


def test_an_exam_is_shown_once_as_one_of_the_worst() -> None:
    table = exams({"a": (0.9, 1), "b": (0.2, 1), "c": (0.5, 1)})
    assert chosen(table, 2) == {
        "Cancer, lowest scores": ["b", "c"],
        "Cancer, highest scores": ["a"],
    }


def test_equal_scores_are_taken_in_the_order_of_their_ids() -> None:
    table = exams({"z": (0.5, 0), "a": (0.5, 0), "m": (0.5, 0)})
    assert chosen(table, 1) == {
        "No cancer, highest scores": ["z"],
        "No cancer, lowest scores": ["a"],
    }


def test_no_label_no_exam() -> None:
    assert choose_exams(exams({"a": (0.5, None)}), 3) == []
