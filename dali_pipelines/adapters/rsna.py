"""RSNA Screening Mammography 2023: train.csv, one row an image, named by its file.

Also test.csv, which has no labels but says patient, side and view, where the headers are stripped
of them. Layout: `train_images/<patient_id>/<image_id>.dcm`.
"""

from dali_pipelines.adapters.join import Labels, file_stem, read_optional
from dali_pipelines.adapters.table import Table

LABEL = "cancer"  # per breast, repeated on each of its images


def read_labels(table: Table, label_column: str | None = None) -> Labels:
    """The labels in `label_column`, else cancer; none where the table is test.csv."""
    keys = table.names("image_id")
    if label_column is None and LABEL not in table and "prediction_id" in table:
        labels: list[int | None] = [None] * len(keys)
    else:
        labels = table.labels(label_column or LABEL)
    columns = {**read_optional(table), "cancer": labels, "dataset": ["rsna"] * len(keys)}
    return Labels(table.path.name, keys, table.lines, columns, (file_stem,))
