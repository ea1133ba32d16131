"""mini-MIAS: Info.txt, one line an abnormality, of images `mdb001` ... `mdb322`.

    mdb001 G CIRC B 535 425 197     tissue, class, severity, x, y from the bottom edge, radius
    mdb003 D NORM                   nothing found
    mdb059 F CIRC B                 no place given
    mdb216 D CALC M *NOTE 3*        spread over the image

Odd numbers are left breasts, even ones right; the two of a pair are one patient. All views are MLO.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pandas as pd

from dali_pipelines.adapters.labels import Labels, by_key, file_stem, merge, worst
from dali_pipelines.adapters.table import Table, only
from dali_pipelines.adapters.table_text import make_table, read_bytes
from dali_pipelines.errors import DatasetError

_LINE: Final = re.compile(r"\s*(mdb\d{3})\b(.*)", re.IGNORECASE)
_REST: Final = re.compile(
    r"\s+[FGD]\s+(?:(NORM)|(CALC|CIRC|SPIC|MISC|ARCH|ASYM)\s+([BM])"
    r"(?:\s+\d+\s+\d+\s+\d+|\s*\*NOTE\s*\d+\s*\*)?)\s*",
    re.IGNORECASE,
)
COLUMNS: Final = ("refnum", "class", "severity")
_NORMAL: Final = "NORM"
_SEVERITIES: Final = {"B": 0, "M": 1}


def is_mias(head: bytes) -> bool:
    """Whether the beginning of a file is that of Info.txt: a line begins with an image's name."""
    lines = head.decode("utf-8-sig", errors="replace").splitlines()
    return any(_REST.fullmatch(found[2]) for found in map(_LINE.fullmatch, lines) if found)


def read_mias(path: Path) -> Table:
    """The lines of Info.txt that begin with an image, as COLUMNS; others are prose.

    DatasetError, naming lines, where one says anything else than the lines above do.
    """
    lines = read_bytes(path).decode("utf-8-sig", errors="replace").splitlines()
    found = [(number, _LINE.fullmatch(line)) for number, line in enumerate(lines, start=1)]
    named = [(number, match[1], _REST.fullmatch(match[2])) for number, match in found if match]
    odd = [i for i, (_, _, rest) in enumerate(named) if rest is None]
    table = Table(path, {}, [number for number, _, _ in named])
    table.require_none(odd, "a line must be as `mdb001 G CIRC B 535 425 197` or `mdb003 D NORM`")
    cells = [
        (number, (name, rest[1] or rest[2], rest[3] or "")) for number, name, rest in named if rest
    ]
    if not cells:
        raise DatasetError(f"{path.name!r} names no image of mini-MIAS")
    return make_table(path, [(0, COLUMNS), *cells])


def read_labels(tables: Sequence[Table], _rule: str) -> Labels:
    """1 for each image of which a line says malignant."""
    table = only(tables)
    keys = [name.lower() for name in table.names("refnum")]
    classes = [cell.upper() for cell in table.texts("class")]
    severities = table.codes("severity", _SEVERITIES)
    labels = [
        0 if kind == _NORMAL and severity is None else severity
        for kind, severity in zip(classes, severities, strict=True)
    ]
    return Labels(
        list(dict.fromkeys(keys)),
        [merge(behind) for behind in by_key(keys, table.rows).values()],
        {"cancer": [worst(found) for found in by_key(keys, labels).values()]},
        (_image,),
        named={"patient_id": _pair, "laterality": _side, "view": _view},
    )


def _image(frame: pd.DataFrame) -> "pd.Series[str]":
    return file_stem(frame).str.lower()


def _number(frame: pd.DataFrame) -> "pd.Series[float]":
    """The number of each image, NaN where its file is not named as mini-MIAS names them."""
    return pd.to_numeric(_image(frame).str.extract(r"^mdb(\d{3})$")[0])


def _pair(frame: pd.DataFrame) -> "pd.Series[str]":
    """The first image of the pair, "001" for both mdb001 and mdb002."""
    number = _number(frame)
    first = (number - (number + 1) % 2).astype("Int64").astype("string").str.zfill(3)
    return first.fillna("").astype("str")


def _side(frame: pd.DataFrame) -> "pd.Series[str]":
    return (_number(frame) % 2).map({1.0: "L", 0.0: "R"}).fillna("").astype("str")


def _view(frame: pd.DataFrame) -> "pd.Series[str]":
    return _number(frame).notna().map({True: "MLO", False: ""})
