"""Tables of labels and manifests that do not fit the images."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from dali_pipelines.manifest import read_manifest
from dali_pipelines.manifest import write_manifest as rewrite
from tests.bad_inputs.case import Build, Case
from tests.bad_inputs.exams import label_rows, write_images, write_labels, write_manifest
from tests.bad_inputs.outputs import scan

_ROWS = label_rows()


def _table(rows: Sequence[str] | bytes) -> Build:
    """Images and a table of labels of these lines, or of these bytes."""

    def build(folder: Path) -> Path:
        write_images(folder)
        return write_labels(folder, rows)

    return build


def _scan(folder: Path) -> list[str]:
    return scan(folder, "--labels", str(folder / "labels.csv"))


def _split(folder: Path) -> list[str]:
    return ["split", str(folder / "m.parquet"), "--folds", "2"]


def _train(folder: Path) -> list[str]:
    run = ["-O", str(folder / "out"), "--model", "test_resnet", "--device", "cpu"]
    return ["train", str(folder / "m.parquet"), *run]


def _column(name: str, values: Sequence[int] | None) -> Build:
    """A sound manifest with other values in that column, or without it."""

    def build(folder: Path) -> Path:
        path = write_manifest(folder)
        frame = read_manifest(path)
        if values is None:
            rewrite(frame.drop(columns=name), path)
        else:
            rewrite(frame.assign(**{name: pd.array(list(values), dtype="Int16")}), path)
        return path

    return build


def _no_manifest(data: bytes) -> Build:
    def build(folder: Path) -> Path:
        (folder / "m.parquet").write_bytes(data)
        return folder / "m.parquet"

    return build


def _half_manifest(folder: Path) -> Path:
    path = write_manifest(folder)
    path.write_bytes(path.read_bytes()[:5000])
    return path


def _two_images_of_one_name(folder: Path) -> Path:
    images = write_images(folder)
    (images / "other").mkdir()
    (images / "1R.dcm").rename(images / "other" / "0L.dcm")
    return write_labels(folder, _ROWS)


_EXCEL = ("\ufeff" + "\r\n".join(row.replace(",", ";") for row in _ROWS) + "\r\n").encode()
_QUOTED = [_ROWS[0] + ",comment", *(row + ',"two\nlines, one cell"' for row in _ROWS[1:])]
_LEADING_ZEROS = [_ROWS[0] + ",site_id", *(row + ",007" for row in _ROWS[1:])]
_WRONG = "must hold 0, 1 or nothing; line 2 differs"


def _joined(name: str, rows: Sequence[str] | bytes, code: int, sentence: str, row: int) -> Case:
    """A case in which that table of labels is joined to the images."""
    return Case(name, _table(rows), code, sentence, row, command=_scan)


_LATIN_1 = "image_id,cancer\n\u00e9,0\n".encode("latin-1")

CASES = [
    _joined("no_label_column", ["image_id,target", *_ROWS[1:]], 3, "has no column", 80),
    _joined("labels_of_a_spreadsheet", _EXCEL, 0, "8 images labeled", 80),
    _joined("quoted_line_breaks", _QUOTED, 0, "8 images labeled", 80),
    _joined("leading_zeros", _LEADING_ZEROS, 0, "8 images labeled", 80),
    _joined("latin_1", _LATIN_1, 3, "is not UTF-8 text", 80),
    _joined("no_rows", [_ROWS[0]], 3, "holds no rows", 80),
    _joined("empty_table", b"", 3, "holds no rows", 80),
    _joined("ragged_rows", [*_ROWS, "2L,0,9"], 3, "each row must have 2 cells", 80),
    _joined("two_columns_of_a_name", ["cancer,cancer", "0,1"], 3, "two columns of one name", 80),
    _joined("repeated_rows", [*_ROWS, *_ROWS[1:3]], 0, "2 repeated rows", 81),
    _joined("contradicting_rows", [*_ROWS, "0L,0"], 3, "contradict each other, lines 2, 10", 81),
    _joined("label_of_words", label_rows(**{"0L": "cancer"}), 3, _WRONG, 82),
    _joined("label_of_2", label_rows(**{"0L": "2"}), 3, _WRONG, 82),
    _joined("label_nan", label_rows(**{"0L": "NaN"}), 0, "1 images without a label", 82),
    _joined("labels_without_images", [*_ROWS, "9L,1"], 0, "1 rows without an image", 83),
    _joined("images_without_labels", _ROWS[:-2], 0, "2 images without a label", 83),
    _joined("labels_of_other_images", [_ROWS[0], "x,1"], 3, "none of the 1 labels", 83),
    Case("patient_in_two_folds", _column("fold", [0, 1] * 4), 3, "two folds", 84, command=_train),
    Case("no_folds", _column("fold", None), 3, "assign folds", 84, command=_train),
    Case("one_name_for_two", _two_images_of_one_name, 3, "share the name", 85, command=_scan),
    # Not a warning: folds without a positive image could judge nothing.
    Case("no_positive", _column("cancer", [0] * 8), 3, "holds only 0", 86, command=_split),
    Case("one_positive", _column("cancer", [1, *[0] * 7]), 0, "", 86, command=_split),
    Case("none_to_learn", _column("cancer", [0] * 8), 3, "0 with it among 4", 86, command=_train),
    Case("manifest_of_text", _no_manifest(b"image_id,path\n"), 3, "manifest", 71, command=_split),
    Case("manifest_empty", _no_manifest(b""), 3, "manifest", 71, command=_split),
    Case("manifest_cut", _half_manifest, 3, "manifest", 71, command=_split),
]
