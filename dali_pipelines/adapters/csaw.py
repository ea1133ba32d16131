"""CSAW-CC: one row an image; what was decided at the exam, and what became of the woman (x_...).

File names `<anon_patientid>_20990909_<L|R>_<CC|MLO>_<n>.dcm`, with a date that means nothing.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from dali_pipelines.adapters.labels import Labels, file_stem, read_views
from dali_pipelines.adapters.table import Table, only

_RECALL_TYPES: Final = {"0": 0, "1": 1, "2": 2}
_RECALLED: Final = (1, 2)
_TIMINGS: Final = {"1": 1, "2": 2, "3": 3}
_AT_THIS_EXAM: Final = 1  # else the cancer was found 60 to 729 days later (2), or still later (3)


class _Image(NamedTuple):
    """What the table says of one image's exam, and of the side that the image shows.

    `recalled_sides` are those that a recall type names.
    """

    side: str
    cancer_side: str
    case: int | None
    timing: int | None
    recall: int | None
    recalled_sides: frozenset[str]


def read_labels(tables: Sequence[Table], rule: str) -> Labels:
    """The labels by a rule."""
    table = only(tables)
    label = {"cancer": _cancer, "recall": _recall}[rule]
    patients, years = table.texts("anon_patientid"), table.texts("exam_year")
    columns: dict[str, list[Any]] = {
        "cancer": [label(image) for image in _images(table)],
        "patient_id": patients,
        "exam_id": [f"{who}_{when}" for who, when in zip(patients, years, strict=True)],
        "laterality": table.sides("imagelaterality"),
        "view": read_views(table, "viewposition"),
    }
    return Labels(table.stems("anon_filename"), table.rows, columns, (file_stem,))


def _images(table: Table) -> list[_Image]:
    sides = table.sides("imagelaterality")
    unknown = [i for i, side in enumerate(sides) if side not in ("L", "R")]
    table.require_none(unknown, "column 'imagelaterality' must hold Left or Right")
    columns = zip(
        sides,
        table.sides("x_cancer_laterality"),
        table.labels("x_case"),
        table.codes("rad_timing", _TIMINGS),
        table.labels("rad_recall"),
        _recalled_sides(table),
        strict=True,
    )
    return [_Image(*values) for values in columns]


def _recalled_sides(table: Table) -> list[frozenset[str]]:
    types = {
        "L": table.codes("rad_recall_type_left", _RECALL_TYPES),
        "R": table.codes("rad_recall_type_right", _RECALL_TYPES),
    }
    rows = range(len(table.lines))
    return [frozenset(side for side in types if types[side][i] in _RECALLED) for i in rows]


def _cancer(image: _Image) -> int | None:
    if not image.case:
        return image.case
    if image.cancer_side and image.cancer_side not in (image.side, "B"):
        return 0
    return 1 if image.cancer_side and image.timing == _AT_THIS_EXAM else None


def _recall(image: _Image) -> int | None:
    if not image.recall:
        return image.recall
    if not image.cancer_side and not image.recalled_sides:
        return None  # a breast was recalled, and nothing says which
    return int(image.cancer_side in (image.side, "B") or image.side in image.recalled_sides)
