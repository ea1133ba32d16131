"""Whether a file is what a competition takes; what is wrong with it, in one sentence."""

from itertools import zip_longest
from pathlib import Path

from dali_pipelines.adapters.table import Table
from dali_pipelines.adapters.table_text import read_bytes, read_table
from dali_pipelines.errors import DatasetError
from trainer.scores.competitions import COMPETITIONS, Competition, CompetitionName


def check_submission(path: Path, name: CompetitionName, like: Path | None = None) -> int:
    """The number of rows of a file that the competition takes.

    `like` is its sample submission, or the table of its test images: the file must have the same
    ids, in the same order. Raises ConfigError if there is no such file, DatasetError naming lines
    where it has another header, an id is malformed (a lost leading zero is) or there twice, a value
    is no number from 0 to 1, or ids are missing, not asked for or in another order.
    """
    competition = COMPETITIONS[name]
    _require_header(path, competition)
    table = read_table(path)
    ids = table.names(competition.id_column)
    competition.require_ids(table, ids)
    first: dict[str, int] = {}
    again = [i for i, found in enumerate(ids) if first.setdefault(found, i) != i]
    table.require_none(again, f"each {competition.id_column} must be there once")
    _require_values(table, competition)
    if like is not None:
        _require_ids(table, ids, competition.read_ids(like), like)
    return len(ids)


def _require_header(path: Path, competition: Competition) -> None:
    first, _, _ = read_bytes(path, 1 << 12).partition(b"\n")
    if first.rstrip(b"\r") != competition.header.encode():
        raise DatasetError(
            f"{path.name!r}: the first line must read {competition.header!r} and nothing else"
        )


def _require_values(table: Table, competition: Competition) -> None:
    cells = table.column(competition.value_column)
    wrong = [i for i, cell in enumerate(cells) if not _is_share(cell)]
    table.require_none(wrong, f"column {competition.value_column!r} must hold numbers from 0 to 1")


def _is_share(cell: str) -> bool:
    try:
        return cell.isascii() and "_" not in cell and 0 <= float(cell) <= 1  # NaN is not
    except ValueError:
        return False


def _require_ids(table: Table, ids: list[str], wanted: list[str], like: Path) -> None:
    missing = len(set(wanted) - set(ids))
    if missing:
        raise DatasetError(
            f"{table.path.name!r} lacks {missing:,} of the {len(wanted):,} ids of {like.name!r}"
        )
    known = set(wanted)
    extra = [i for i, name in enumerate(ids) if name not in known]
    table.require_none(extra, f"only ids of {like.name!r} may be there")
    moved = [i for i, (a, b) in enumerate(zip_longest(ids, wanted)) if a != b]
    table.require_none(moved, f"the ids must stand in the order of {like.name!r}")
