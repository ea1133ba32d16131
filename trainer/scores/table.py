"""The table of scores: one row per image, with what grouping and evaluation need.

Predictions leave the house, so images and patients are named by keyed hashes unless asked
otherwise.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from dali_pipelines.atomic import replacing
from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.identity import image_id
from dali_pipelines.patient_groups import name_patients
from dali_pipelines.rejects.table import rejects_beside, write_rejects
from dali_pipelines.verdicts import Reject
from trainer.aggregation.levels import breast_scores, patient_scores, side

# an id may look like a number, and must stay text
_DTYPES: Final = {
    **dict.fromkeys(("image_id", "patient_id", "laterality", "view", "recipe_hash"), "str"),
    "prob": "float64",
}
# an id may also read "NA" or "null", so only numbers can be missing
_BLANKS: Final = ["", "NA", "N/A", "NaN", "nan", "<NA>"]
_MISSING: Final = dict.fromkeys(("cancer", "fold", "prob", "logit"), _BLANKS)
_PARQUET_MAGIC: Final = b"PAR1"
_WANTED: Final = (
    "wanted is the CSV with a row an image that `mammo predict` wrote to -O, not that of breasts "
    "or patients"
)
_CARRIED: Final = ("cancer", "fold")
_PATIENT: Final = "patient:"  # a patient's hash is never that of an image whose UID is the same


def key_path(manifest: Path) -> Path:
    """Where the id key of a manifest is kept unless another is named: beside it."""
    return manifest.with_suffix(".key")


def prediction_table(
    manifest: pd.DataFrame, logits: NDArray[np.float64], recipe_hash: str, key: bytes | None
) -> pd.DataFrame:
    """One row per image of `manifest` that has a logit (is not NaN), in its order.

    `key` makes patient ids into hashes; None keeps patient ids and names images as `raw_ids` does.
    cancer and fold come along where the manifest has them.
    """
    scored = np.isfinite(logits)
    rows = manifest[scored].reset_index(drop=True)
    names = manifest["image_id"] if key is not None else raw_ids(manifest)
    table = pd.DataFrame(
        {
            "image_id": names[scored].reset_index(drop=True),
            "patient_id": _patients(rows, key),
            "laterality": side(rows["laterality"]),
            "view": rows["view"],
            "prob": expit(logits[scored]),
            "logit": logits[scored],
        }
    )
    for column in _CARRIED:
        if column in rows.columns:
            table[column] = rows[column]
    return table.assign(recipe_hash=recipe_hash)


def raw_ids(manifest: pd.DataFrame) -> "pd.Series[str]":
    """The SOP Instance UID of each image, with ":" and the frame where it has several images."""
    uids = manifest["sop_instance_uid"]
    several = uids.duplicated(keep=False)
    return uids.where(~several, uids + ":" + manifest["frame"].astype("string").fillna(""))


def _patients(rows: pd.DataFrame, key: bytes | None) -> list[str]:
    """The patient of each row, hashed with `key`; its study or itself where that is unknown."""
    names = name_patients(rows, "patient_id").to_list()
    if key is None:
        return names
    hashes = {name: image_id(key, _PATIENT + name) for name in set(names)}
    return [hashes[name] for name in names]


def read_predictions(path: Path) -> pd.DataFrame:
    """The rows of a predictions file, ids as text, cancer and fold with <NA> where unknown.

    Raises ConfigError if there is no such file, DatasetError if it is no table of scores.
    """
    if not path.is_file():
        raise ConfigError(f"no predictions {str(path)!r}; `mammo predict` writes them")
    if _is_parquet(path):
        raise DatasetError(f"{str(path)!r} is a parquet file, such as a manifest; {_WANTED}")
    try:
        table = pd.read_csv(path, dtype=_DTYPES, keep_default_na=False, na_values=_MISSING)
        for column in {"cancer", "fold"} & set(table.columns):
            table[column] = table[column].astype("Int64")
    except (ValueError, TypeError) as error:  # pandas' parser errors are ValueErrors
        raise DatasetError(f"{str(path)!r} is no table of scores: {error}") from error
    missing = {"image_id", "prob"} - set(table.columns)
    if missing:
        raise DatasetError(
            f"{str(path)!r} lacks the column {', '.join(sorted(missing))}; {_WANTED}"
        )
    _require_ids(table, path)
    return table


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(_PARQUET_MAGIC)) == _PARQUET_MAGIC


def _require_ids(table: pd.DataFrame, path: Path) -> None:
    repeated = int(table["image_id"].duplicated().sum())
    if repeated:
        raise DatasetError(
            f"{str(path)!r} has {repeated:,} rows of an image that has a row already; keep one "
            "score per image"
        )
    nameless = int((table["patient_id"] == "").sum()) if "patient_id" in table.columns else 0
    if nameless:
        raise DatasetError(f"{str(path)!r} has {nameless:,} rows with an empty patient_id; fill in")


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table as CSV, replaced as a whole; numbers keep all their digits."""
    with replacing(path) as aside:
        table.to_csv(aside, index=False)


def write_tables(table: pd.DataFrame, rejects: Sequence[Reject], out: Path) -> dict[str, Any]:
    """Write the scores per image to `out`, those per breast and patient and the rejects beside it.

    Returns {"image" | "breast" | "patient" | "rejects": {"path": ..., "n": rows}}.
    """
    breasts = breast_scores(table)
    tables = {
        "image": (out, table),
        "breast": (beside(out, "breast"), breasts),
        "patient": (beside(out, "patient"), patient_scores(breasts)),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    for path, rows in tables.values():
        write_csv(rows, path)
    rejected = write_rejects(rejects, rejects_beside(out))
    facts = {level: {"path": str(path), "n": len(rows)} for level, (path, rows) in tables.items()}
    return {**facts, "rejects": {"path": str(rejects_beside(out)), "n": rejected}}


def beside(out: Path, name: str) -> Path:
    """The path of a table that goes with `out`: "scores.csv" has "scores_breast.csv"."""
    return out.with_name(f"{out.stem}_{name}.csv")
