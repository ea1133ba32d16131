"""Tables of scores as files: CSV, JSON or parquet, by the suffix of their name.

All hold the same rows and give them back exactly: numbers keep all their digits, ids stay text.
JSON is a list of objects, one a line, with null for what is unknown.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dali_pipelines.atomic import PUBLIC_MODE, replacing
from dali_pipelines.errors import ConfigError
from dali_pipelines.rejects.table import rejects_beside, write_rejects
from dali_pipelines.verdicts import Reject
from trainer.aggregation.levels import LEVELS, Level, aggregate
from trainer.aggregation.policy import Aggregation

if TYPE_CHECKING:
    from trainer.decisions.decision import Decision

_USUAL: Final = Aggregation()


def write_scores(table: pd.DataFrame, path: Path, mode: int = PUBLIC_MODE) -> None:
    """Write a table in the format of the path's suffix, replaced as a whole by a file of that mode.

    Raises ConfigError where no format has that suffix.
    """
    if path.suffix not in WRITERS:
        raise ConfigError(f"{str(path)!r} must end in {', '.join(WRITERS)}, which says its format")
    with replacing(path, mode) as aside:
        WRITERS[path.suffix](table, aside)


def write_tables(
    table: pd.DataFrame,
    rejects: Sequence[Reject],
    out: Path,
    how: Aggregation = _USUAL,
    decision: "Decision | None" = None,
    mode: int = PUBLIC_MODE,
) -> dict[str, Any]:
    """Write the scores per image to `out`, those per breast, exam and patient and rejects beside.

    The table of its level has the columns of the decision. Returns {"image" | "breast" | "exam" |
    "patient" | "rejects": {"path": ..., "n": rows}}. `mode` is of the tables of scores. Raises
    ConfigError as `write_scores` does.
    """
    tables = {level: aggregate(table, level, how) for level in LEVELS}
    if decision is not None:
        tables[decision.level] = decision.apply(tables[decision.level])
    out.parent.mkdir(parents=True, exist_ok=True)
    facts: dict[str, Any] = {}
    for level, rows in tables.items():
        path = level_path(out, level)
        write_scores(rows, path, mode)
        facts[level] = {"path": str(path), "n": len(rows)}
    rejected = write_rejects(rejects, rejects_beside(out))
    return {**facts, "rejects": {"path": str(rejects_beside(out)), "n": rejected}}


def level_path(out: Path, level: Level) -> Path:
    """Where `write_tables` writes a level: `out` itself has the images."""
    return out if level == "image" else beside(out, level)


def beside(out: Path, name: str, suffix: str | None = None) -> Path:
    """The path of what goes with `out`: "scores.csv" has "scores_breast.csv"."""
    return out.with_name(f"{out.stem}_{name}{out.suffix if suffix is None else suffix}")


def about_beside(out: Path) -> Path:
    """Where the document about a file of predictions is: "scores_about.json" for "scores.csv"."""
    return beside(out, "about", ".json")


def _write_csv(table: pd.DataFrame, path: Path) -> None:
    table.to_csv(path, index=False)


def _write_json(table: pd.DataFrame, path: Path) -> None:
    columns = [_plain(table[name]) for name in table.columns]
    with path.open("w", encoding="utf-8") as file:
        file.write("[")
        for number, cells in enumerate(zip(*columns, strict=True)):
            row = json.dumps(dict(zip(table.columns, cells, strict=True)), allow_nan=False)
            file.write(f"{',' if number else ''}\n{row}")
        file.write("\n]\n")


def _plain(column: "pd.Series[Any]") -> list[Any]:
    """The values as Python's own, None where one is missing."""
    return column.astype(object).where(column.notna(), None).to_list()


def _write_parquet(table: pd.DataFrame, path: Path) -> None:
    rows = pa.Table.from_pandas(table, preserve_index=False)
    pq.write_table(rows.replace_schema_metadata(None), path)


WRITERS: Final[dict[str, Callable[[pd.DataFrame, Path], None]]] = {
    ".csv": _write_csv,
    ".json": _write_json,
    ".parquet": _write_parquet,
}
