"""Files of labels -> the adapter that they are for, by the columns that they have."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dali_pipelines.adapters.formats import columns_of
from dali_pipelines.adapters.layouts import LAYOUTS, Layout
from dali_pipelines.errors import ConfigError, DatasetError, DeviceError

AUTO: Final = "auto"
_SUFFIXES: Final = frozenset((".csv", ".tsv", ".txt", ".xlsx"))


@dataclass(frozen=True, slots=True)
class Recognized:
    """The adapter, its tables, and the sentence that says why it was taken."""

    adapter: str
    tables: tuple[Path, ...]
    why: str


def _list_tables(paths: Sequence[Path]) -> list[Path]:
    """The files named, and those in the folders named that may be tables of labels."""
    listed = []
    for path in paths:
        listed += _inside(path) if path.is_dir() else [path]
    return listed


def recognize(paths: Sequence[Path], adapter: str) -> Recognized:
    """The tables of an adapter among files and folders, or of the one that knows them, for AUTO.

    A file that was named must be known; of a folder, those that are. Raises DatasetError where none
    is, or where they are of several data sets, and as `columns_of`.
    """
    if adapter != AUTO:
        inside = _find_all(paths, {adapter: LAYOUTS[adapter]})
        tables = tuple(path for path in inside if path in paths or inside[path])
        if not tables:
            raise DatasetError(
                f"no table in {_names(paths)} has the columns of {adapter!r}; name the tables, or "
                "their folder, with --labels"
            )
        return Recognized(adapter, tables, "")
    found = _find_all(paths, LAYOUTS)
    for path in paths:
        if not path.is_dir() and not found[path]:
            raise DatasetError(
                f"{path.name!r} has the columns of no data set known{_nearest(path)}; {_ASK}"
            )
    names = sorted({name for layouts in found.values() for name in layouts})
    if not names:
        raise DatasetError(
            f"no table in {_names(paths)} is of a data set known; name the tables, or their "
            "folder, with --labels"
        )
    if len(names) > 1:
        raise DatasetError(
            f"{_names([p for p in found if found[p]])} could be of {' or '.join(names)}; {_ASK}, "
            "and scan each data set for itself"
        )
    return _recognized(names[0], {p: layouts[names[0]] for p, layouts in found.items() if layouts})


_ASK: Final = "name one with --adapter (mammo scan --list-adapters)"


def _recognized(adapter: str, told: Mapping[Path, Sequence[str]]) -> Recognized:
    reasons = [f"{path.name!r} has the columns {', '.join(told[path])}" for path in told]
    why = f"adapter {adapter} ({LAYOUTS[adapter].title}): {'; '.join(reasons)}"
    return Recognized(adapter, tuple(told), why)


def _find_all(
    paths: Sequence[Path], layouts: Mapping[str, Layout]
) -> dict[Path, Mapping[str, Sequence[str]]]:
    """As `_find`, of each table at `paths`.

    What lies in a folder and cannot be read is of none, but where that leaves nothing known.
    """
    found: dict[Path, Mapping[str, Sequence[str]]] = {}
    unread = []
    for path in _list_tables(paths):
        try:
            found[path] = _find(path, layouts)
        except (ConfigError, DatasetError, DeviceError) as error:
            if path in paths:
                raise
            found[path] = {}
            unread.append(error)
    if unread and not any(found.values()):
        raise unread[0]
    return found


def _find(path: Path, layouts: Mapping[str, Layout]) -> dict[str, Sequence[str]]:
    """The layouts that a table may be of, each with the columns that tell it.

    Generic ones only where no other is.
    """
    header = columns_of(path)
    told = {name: columns for name, one in layouts.items() if (columns := one.find(header))}
    own = {name: columns for name, columns in told.items() if not layouts[name].generic}
    return own or told


def _inside(folder: Path) -> list[Path]:
    """The files in a folder that may be tables, by name."""
    try:
        files = [path for path in folder.iterdir() if path.is_file()]
    except OSError as error:
        raise ConfigError(f"no folder {str(folder)!r} can be read: {error.strerror}") from error
    return sorted(path for path in files if path.suffix.lower() in _SUFFIXES)


def _nearest(path: Path) -> str:
    """What the layout that a table is most nearly of has beyond it, "" where none is near."""
    header = set(columns_of(path))
    kinds = [
        (name, kind) for name, one in LAYOUTS.items() if not one.generic for kind in one.tables
    ]
    missing = {(name, kind): [c for c in kind if c.lower() not in header] for name, kind in kinds}
    (name, kind), lacking = min(missing.items(), key=lambda item: len(item[1]) / len(item[0][1]))
    if len(lacking) > len(kind) / 2:
        return ""
    return f"; the nearest, {name}, also has {', '.join(map(repr, lacking))}"


def _names(paths: Sequence[Path]) -> str:
    return ", ".join(repr(path.name) for path in paths)
