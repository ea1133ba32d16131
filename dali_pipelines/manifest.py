"""Records <-> one table in a parquet file, the manifest, which every later command starts from.

Columns are flat: the header's under their usual names, `stream_*` for what the codestream says,
and where it lies. Other steps add columns, such as `cancer` and `fold`. A working file: mode 0600.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dali_pipelines.atomic import PRIVATE_MODE, replacing
from dali_pipelines.columns import escape, grayscale_from_json, grayscale_to_json, unescape
from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.records import Grayscale, ImageRecord, ImageTags, Location, StreamInfo
from dali_pipelines.verdicts import Status

VERSION: Final = 2
_VERSION_KEY: Final = b"mammostream_manifest"
SCAN: Final = "mammostream_scan"  # in `attrs` of a frame: text on the scan behind it
_TEXT: Final = pa.string()
_TEXTS: Final = pa.list_(pa.string())
_SHARED_TEXT: Final = pa.dictionary(pa.int32(), pa.string())  # each value is held once

SCHEMA: Final = pa.schema(
    {
        "image_id": _TEXT,
        "sop_instance_uid": _TEXT,
        "study_instance_uid": _TEXT,
        "series_instance_uid": _TEXT,
        "sop_class_uid": _TEXT,
        "patient_id": _TEXT,
        "exam_id": _TEXT,
        "laterality": _TEXT,
        "view": _TEXT,
        "view_modifiers": _TEXTS,
        "implant": pa.bool_(),
        "intent": _TEXT,
        "manufacturer": _TEXT,
        "model_name": _TEXT,
        "modality": _TEXT,
        "age": pa.int16(),
        "rows": pa.int32(),
        "columns": pa.int32(),
        "bits_allocated": pa.int32(),
        "bits_stored": pa.int32(),
        "high_bit": pa.int32(),
        "signed": pa.bool_(),
        "photometric": _TEXT,
        "transfer_syntax": _TEXT,
        "pixel_spacing_mm": pa.list_(pa.float64()),
        "number_of_frames": pa.int32(),
        "frame": pa.int32(),
        "chest_side": _TEXT,
        "intensity": _TEXT,
        "path": _TEXT,
        "member": _TEXT,
        "storage": _TEXT,
        "fragment_offsets": pa.list_(pa.int64()),
        "fragment_lengths": pa.list_(pa.int64()),
        "frame_fragments": pa.list_(pa.int32()),
        "file_size": pa.int64(),
        "mtime_ns": pa.int64(),
        "stream_kind": _TEXT,
        "stream_height": pa.int32(),
        "stream_width": pa.int32(),
        "stream_components": pa.int32(),
        "stream_precision": pa.int32(),
        "stream_signed": pa.bool_(),
        "stream_predictor": pa.int32(),
        "stream_point_transform": pa.int32(),
        "stream_tables_first": pa.bool_(),
        "stream_lossy": pa.bool_(),
        "stream_boxed": pa.bool_(),
        "stream_swapped": pa.bool_(),
        "grayscale": _SHARED_TEXT,
        "sha256": _TEXT,
        "flags": _TEXTS,
        "status": _TEXT,
    }
)

_RENAMED: Final = {
    "age_years": "age",
    "transfer_syntax_uid": "transfer_syntax",
    "spacing_mm": "pixel_spacing_mm",
}
_TAGS: Final = {f.name: _RENAMED.get(f.name, f.name) for f in fields(ImageTags)}
_STREAM: Final = {f.name: f"stream_{f.name}" for f in fields(StreamInfo)}
_OWN: Final = ("image_id", "grayscale", "sha256", "flags")
_PLACE: Final = ("path", "member", "storage", "file_size", "mtime_ns")
_DTYPES: Final = {
    pa.bool_(): pd.BooleanDtype(),
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
}


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
        if field.type == _TEXT:
            data[field.name] = [escape(text) for text in data[field.name]]
        elif field.type == _TEXTS:
            data[field.name] = [[escape(text) for text in texts] for texts in data[field.name]]
    return _to_pandas(pa.table(data, schema=SCHEMA))


def to_records(frame: pd.DataFrame) -> list[ImageRecord]:
    """The records of the rows, in order; the exact inverse of `to_frame`."""
    table = _to_arrow(frame)
    names = [name for name in SCHEMA.names if name != "grayscale"]
    data = {name: table.column(name).to_pylist() for name in names}
    for field in SCHEMA:
        if field.type == _TEXT:
            data[field.name] = [unescape(text) for text in data[field.name]]
        elif field.type == _TEXTS:
            data[field.name] = [tuple(map(unescape, texts)) for texts in data[field.name]]
    try:
        data["grayscale"] = _read_shared(table.column("grayscale"))
        return list(_records(data))
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError("the manifest is damaged: a row is no image; scan again") from error


def write_manifest(frame: pd.DataFrame, path: Path) -> None:
    """Write the rows in one step, so that `path` never holds half a table.

    What `attrs` has under SCAN goes along. The bytes depend on that and the rows alone. Raises
    DatasetError where a column of SCHEMA is missing.
    """
    metadata = {_VERSION_KEY: str(VERSION).encode()}
    if SCAN in frame.attrs:
        metadata[SCAN.encode()] = frame.attrs[SCAN].encode()
    table = _to_arrow(frame).replace_schema_metadata(metadata)
    # Arrow's own files cannot have names that are not UTF-8; those of Python can.
    with replacing(path, PRIVATE_MODE) as aside, aside.open("wb") as file:
        pq.write_table(table, file, compression="zstd")


def read_manifest(path: str | Path) -> pd.DataFrame:
    """The rows that `write_manifest` was given, with the same types, and SCAN in `attrs`.

    Raises ConfigError if there is no such file, DatasetError if it is not a manifest.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"no manifest {str(path)!r}; `mammo scan` writes one")
    try:
        # pre_buffer reads by threads of Arrow's own, which abort a process that ends right after
        # (12 of 20 runs with pyarrow 26.0.1).
        file = pq.ParquetFile(pa.BufferReader(path.read_bytes()), pre_buffer=False)
        _require_version(file.schema_arrow, path)
        frame = _to_pandas(file.read())
        if text := file.schema_arrow.metadata.get(SCAN.encode()):
            frame.attrs[SCAN] = text.decode(errors="replace")
        return frame
    except (pa.ArrowInvalid, OSError) as error:
        raise DatasetError(f"{str(path)!r} is not a manifest; `mammo scan` writes one") from error


def _require_version(schema: pa.Schema, path: Path) -> None:
    version = (schema.metadata or {}).get(_VERSION_KEY)
    if version is None:
        raise DatasetError(f"{str(path)!r} is a table, but not of `mammo scan`; scan again")
    if version != str(VERSION).encode():
        found = version.decode(errors="replace")
        raise DatasetError(
            f"{str(path)!r} is a manifest of version {found}, wanted {VERSION}; scan again"
        )
    _require_columns(schema.names)


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
    return pa.DictionaryArray.from_arrays(pa.array(indices, pa.int32()), pa.array(texts, _TEXT))


def _read_shared(column: pa.ChunkedArray) -> list[Grayscale]:
    shared = column.unify_dictionaries().combine_chunks()
    grayscales = [grayscale_from_json(text) for text in shared.dictionary.to_pylist()]
    return [grayscales[index] for index in shared.indices.to_pylist()]


def _to_arrow(frame: pd.DataFrame) -> pa.Table:
    """The columns of SCHEMA first, in its order, then the others with the types they have."""
    _require_columns(frame.columns)
    others = frame[[name for name in frame.columns if name not in SCHEMA.names]]
    try:
        extra = pa.Schema.from_pandas(others, preserve_index=False)
        schema = pa.schema([*SCHEMA, *extra])
        return pa.Table.from_pandas(frame, schema=schema, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        wrong = ", ".join(name for name in frame.columns if not _fits(frame[[name]]))
        raise DatasetError(  # pyarrow's own text shows the value, which may be an id
            f"manifest columns hold values of a wrong type: {wrong}; scan again"
        ) from None


def _fits(column: pd.DataFrame) -> bool:
    """Whether the values of a table of one column have the type of that column."""
    wanted = [field for field in SCHEMA if field.name in column.columns]
    try:
        pa.Table.from_pandas(column, pa.schema(wanted) if wanted else None, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return False
    return True


def _to_pandas(table: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas(types_mapper=_DTYPES.get)
    return frame


def _require_columns(found: Iterable[str]) -> None:
    missing = sorted(set(SCHEMA.names) - set(found))
    if missing:
        raise DatasetError(f"the manifest lacks the columns {', '.join(missing)}; scan again")
