"""Records <-> the rows of a manifest, held as a data frame; both ways are exact."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from dali_pipelines.columns import escape, grayscale_from_json, grayscale_to_json, unescape
from dali_pipelines.errors import DatasetError
from dali_pipelines.manifest_schema import SCHEMA, TEXT, TEXTS, to_arrow, to_pandas
from dali_pipelines.records import Grayscale, ImageRecord, ImageTags, Location, StreamInfo
from dali_pipelines.verdicts import Status

_RENAMED: Final = {
    "age_years": "age",
    "transfer_syntax_uid": "transfer_syntax",
    "spacing_mm": "pixel_spacing_mm",
}
_TAGS: Final = {f.name: _RENAMED.get(f.name, f.name) for f in fields(ImageTags)}
_STREAM: Final = {f.name: f"stream_{f.name}" for f in fields(StreamInfo)}
_OWN: Final = ("image_id", "grayscale", "sha256", "flags")
_PLACE: Final = ("path", "member", "storage", "file_size", "mtime_ns")


def to_frame(records: Sequence[ImageRecord]) -> pd.DataFrame:
    """One row a record, in order; the columns and types of SCHEMA, None where nothing is known.

    A backslash in text is doubled, and a byte of a file name that is not UTF-8 is escaped.
    """
    data: dict[str, Any] = {"image_id": [r.image_id for r in records]}
    for name, column in _TAGS.items():
        data[column] = [getattr(r.tags, name) for r in records]
    for name in _PLACE:
        data[name] = [getattr(r.location, name) for r in records]
    data["fragment_offsets"] = [[at for at, _ in r.location.fragments] for r in records]
    data["fragment_lengths"] = [[length for _, length in r.location.fragments] for r in records]
    data["frame_fragments"] = [r.location.frame_fragments for r in records]
    for name, column in _STREAM.items():
        data[column] = [getattr(r.stream, name) for r in records]
    data["grayscale"] = _share_text([r.grayscale for r in records])
    data["sha256"] = [r.sha256 for r in records]
    data["flags"] = [r.flags for r in records]
    data["status"] = [str(Status.FLAGGED if r.flags else Status.OK) for r in records]
    for field in SCHEMA:
        if field.type == TEXT:
            data[field.name] = [escape(text) for text in data[field.name]]
        elif field.type == TEXTS:
            data[field.name] = [[escape(text) for text in texts] for texts in data[field.name]]
    return to_pandas(pa.table(data, schema=SCHEMA))


def to_records(frame: pd.DataFrame) -> list[ImageRecord]:
    """The records of the rows, in order; the exact inverse of `to_frame`."""
    table = to_arrow(frame)
    names = [name for name in SCHEMA.names if name != "grayscale"]
    data = {name: table.column(name).to_pylist() for name in names}
    for field in SCHEMA:
        if field.type == TEXT:
            data[field.name] = [unescape(text) for text in data[field.name]]
        elif field.type == TEXTS:
            data[field.name] = [tuple(map(unescape, texts)) for texts in data[field.name]]
    try:
        data["grayscale"] = _read_shared(table.column("grayscale"))
        return list(_records(data))
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError("the manifest is damaged: a row is no image; scan again") from error


def _records(data: Mapping[str, list[Any]]) -> Iterator[ImageRecord]:
    tags = {name: data[column] for name, column in _TAGS.items()}
    tags["spacing_mm"] = [pair and tuple(pair) for pair in tags["spacing_mm"]]
    place: dict[str, Iterable[Any]] = {name: data[name] for name in _PLACE}
    pairs = zip(data["fragment_offsets"], data["fragment_lengths"], strict=True)
    place["fragments"] = [tuple(zip(at, length, strict=True)) for at, length in pairs]
    place["frame_fragments"] = map(tuple, data["frame_fragments"])
    stream = {name: data[column] for name, column in _STREAM.items()}
    parts: dict[str, Iterable[Any]] = {name: data[name] for name in _OWN}
    parts["tags"] = _rows(ImageTags, tags)
    parts["location"] = _rows(Location, place)
    parts["stream"] = _rows(StreamInfo, stream)
    parts["box"] = [None] * len(data["image_id"])
    return _rows(ImageRecord, parts)


def _rows(cls: type[Any], columns: Mapping[str, Iterable[Any]]) -> Iterator[Any]:
    """One instance of a dataclass a row; `columns` has each of its fields."""
    ordered = [columns[field.name] for field in fields(cls)]
    return (cls(*row) for row in zip(*ordered, strict=True))


def _share_text(grayscales: Sequence[Grayscale]) -> pa.Array:
    """Their JSON, each text once: tables of vendors are long and common to thousands of rows."""
    numbers: dict[Grayscale, int] = {}
    indices = [numbers.setdefault(grayscale, len(numbers)) for grayscale in grayscales]
    texts = [grayscale_to_json(grayscale) for grayscale in numbers]
    return pa.DictionaryArray.from_arrays(pa.array(indices, pa.int32()), pa.array(texts, TEXT))


def _read_shared(column: pa.ChunkedArray) -> list[Grayscale]:
    shared = column.unify_dictionaries().combine_chunks()
    grayscales = [grayscale_from_json(text) for text in shared.dictionary.to_pylist()]
    return [grayscales[index] for index in shared.indices.to_pylist()]
