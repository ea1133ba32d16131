"""What scores can be split by: the site, the vendor, the density and more of each image.

A group is a text a row, "" where nothing is known, so that every column is split alike. Ages come
in bands of ten years, as screening programs state theirs. Manufacturers spell and rename themselves
freely: a text that holds a known name counts under that.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

import pandas as pd

from dali_pipelines.adapters.labels import DENSITIES
from dali_pipelines.catalog.combine import DATASET
from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.settings import closest
from trainer.aggregation.levels import UNKNOWN_SIDE
from trainer.printable import printable

Texts: TypeAlias = "pd.Series[str]"

# a word of the manufacturer's text -> who makes it; a maker that was bought keeps its machines
_VENDORS: Final = {
    **dict.fromkeys(("ge", "gems"), "GE"),
    **dict.fromkeys(("hologic", "lorad"), "Hologic"),
    "siemens": "Siemens",
    **dict.fromkeys(("fuji", "fujifilm"), "Fujifilm"),
    **dict.fromkeys(("philips", "sectra"), "Philips"),
    **dict.fromkeys(("ims", "giotto"), "IMS Giotto"),
    **dict.fromkeys(("planmed", "planmeca"), "Planmed"),
    **dict.fromkeys(("carestream", "kodak"), "Carestream"),
    "agfa": "Agfa",
    "konica": "Konica Minolta",
    **dict.fromkeys(("canon", "toshiba"), "Canon"),
    "metaltronica": "Metaltronica",
}
_WORDS: Final = re.compile(r"[a-z]+")
_AGE_EDGES: Final = (40, 50, 60, 70)
_YOUNGEST: Final = f"0-{_AGE_EDGES[0] - 1}"
_LONGEST: Final = 40  # of a value that stands in a table

UNKNOWN: Final = "unknown"
MOST_VALUES: Final = 20  # of a column; nobody reads a longer table


def split_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """A column of texts for each name of GROUPS of which the manifest says anything."""
    columns = {name: read(frame) for name, read in GROUPS.items()}
    return pd.DataFrame({name: texts for name, texts in columns.items() if texts.ne("").any()})


def split_by(scores: pd.DataFrame, name: str) -> dict[str, pd.DataFrame]:
    """The rows of each value of a column, by the values in order, those without one last.

    Values beyond the MOST_VALUES most frequent are one. Raises DatasetError where none is known.
    """
    texts = _texts(name)(scores).replace(UNKNOWN_SIDE, "")
    known = texts[texts.ne("")]
    if known.empty:
        raise DatasetError(
            f"nothing is known of the {name} of the images; name a manifest that says it with "
            "--manifest, or leave it out of --by"
        )
    common = sorted(known.value_counts().index[:MOST_VALUES])
    parts = {value: scores[texts.eq(value)] for value in common}
    rare = known[~known.isin(common)]
    if len(rare):
        parts[f"{rare.nunique()} others"] = scores.loc[rare.index]
    if len(known) < len(scores):
        parts[UNKNOWN] = scores[texts.eq("")]
    return parts


def require_column(name: str) -> None:
    """Raise ConfigError unless scores can be split by a column of that name."""
    if name not in GROUPS:
        raise ConfigError(f"scores cannot be split by {name[:40]!r}.{closest(name, GROUPS)}")


def vendor_of(manufacturer: str) -> str:
    """The maker under one name, the text itself where it names none that is known."""
    words = _WORDS.findall(manufacturer.casefold())
    known = next((_VENDORS[word] for word in words if word in _VENDORS), None)
    return known or printable(manufacturer.strip(), _LONGEST)


def age_band(age: float) -> str:
    """The band of an age in years."""
    if age < _AGE_EDGES[0]:
        return _YOUNGEST
    start = max(edge for edge in _AGE_EDGES if edge <= age)
    return f"{start} and over" if start == _AGE_EDGES[-1] else f"{start}-{start + 9}"


def _texts(column: str) -> Callable[[pd.DataFrame], Texts]:
    """The values of a column as they are."""

    def read(frame: pd.DataFrame) -> Texts:
        if column not in frame.columns:
            return pd.Series("", frame.index, dtype="str")
        texts = frame[column].astype("string").fillna("").astype("str")
        return texts.map(lambda text: printable(text.strip(), _LONGEST)).astype("str")

    return read


def _sites(frame: pd.DataFrame) -> Texts:
    """The data set and the site in it, as far as the manifest names them."""
    names, sites = _texts(DATASET)(frame), _texts("site_id")(frame)
    return names.where((sites == "") | (names == ""), names + "/") + sites


def _vendors(frame: pd.DataFrame) -> Texts:
    return _texts("manufacturer")(frame).map(vendor_of).astype("str")


def _ages(frame: pd.DataFrame) -> Texts:
    if "age" not in frame.columns:
        return pd.Series("", frame.index, dtype="str")
    known = pd.to_numeric(frame["age"]).dropna()
    return known.map(age_band).astype("str").reindex(frame.index, fill_value="")


def _densities(frame: pd.DataFrame) -> Texts:
    """A ... D of BI-RADS; a table's cell that says anything else says nothing."""
    texts = _texts("density")(frame)
    return texts.where(texts.isin(sorted(DENSITIES.values())), "")


def _implants(frame: pd.DataFrame) -> Texts:
    return _texts("implant")(frame).replace({"True": "yes", "False": "no"})


GROUPS: Final[Mapping[str, Callable[[pd.DataFrame], Texts]]] = {
    "site": _sites,
    "dataset": _texts(DATASET),
    "vendor": _vendors,
    "model": _texts("model_name"),
    "density": _densities,
    "age": _ages,
    "implant": _implants,
    "view": _texts("view"),
    "laterality": _texts("laterality"),
    "fold": _texts("fold"),
}
