"""The columns of the manifest and their types, as Arrow and as pandas hold them.

Columns are flat: the header's under their usual names, `stream_*` for what the codestream says,
and where it lies. Other steps add columns, such as `cancer` and `fold`.
"""

from collections.abc import Iterable
from typing import Final

import pandas as pd
import pyarrow as pa

from dali_pipelines.errors import DatasetError

TEXT: Final = pa.string()
TEXTS: Final = pa.list_(pa.string())
_SHARED_TEXT: Final = pa.dictionary(pa.int32(), pa.string())  # each value is held once

SCHEMA: Final = pa.schema(
    {
        "image_id": TEXT,
        "sop_instance_uid": TEXT,
        "study_instance_uid": TEXT,
        "series_instance_uid": TEXT,
        "sop_class_uid": TEXT,
        "patient_id": TEXT,
        "exam_id": TEXT,
        "laterality": TEXT,
        "view": TEXT,
        "view_modifiers": TEXTS,
        "implant": pa.bool_(),
        "intent": TEXT,
        "manufacturer": TEXT,
        "model_name": TEXT,
        "modality": TEXT,
        "age": pa.int16(),
        "rows": pa.int32(),
        "columns": pa.int32(),
        "bits_allocated": pa.int32(),
        "bits_stored": pa.int32(),
        "high_bit": pa.int32(),
        "signed": pa.bool_(),
        "photometric": TEXT,
        "transfer_syntax": TEXT,
        "pixel_spacing_mm": pa.list_(pa.float64()),
        "number_of_frames": pa.int32(),
        "frame": pa.int32(),
        "chest_side": TEXT,
        "intensity": TEXT,
        "path": TEXT,
        "member": TEXT,
        "storage": TEXT,
        "fragment_offsets": pa.list_(pa.int64()),
        "fragment_lengths": pa.list_(pa.int64()),
        "frame_fragments": pa.list_(pa.int32()),
        "file_size": pa.int64(),
        "mtime_ns": pa.int64(),
        "stream_kind": TEXT,
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
        "sha256": TEXT,
        "flags": TEXTS,
        "status": TEXT,
    }
)

_DTYPES: Final = {
    pa.bool_(): pd.BooleanDtype(),
    pa.int8(): pd.Int8Dtype(),
    pa.int16(): pd.Int16Dtype(),
    pa.int32(): pd.Int32Dtype(),
    pa.int64(): pd.Int64Dtype(),
}


def to_arrow(frame: pd.DataFrame) -> pa.Table:
    """The columns of SCHEMA first, in its order, then the others with the types they have."""
    require_columns(frame.columns)
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


def to_pandas(table: pa.Table) -> pd.DataFrame:
    """The columns as they are, in types of pandas that hold None too."""
    frame: pd.DataFrame = table.to_pandas(types_mapper=_DTYPES.get)
    return frame


def require_columns(found: Iterable[str]) -> None:
    """Raise DatasetError where a column of SCHEMA is missing."""
    missing = sorted(set(SCHEMA.names) - set(found))
    if missing:
        raise DatasetError(f"the manifest lacks the columns {', '.join(missing)}; scan again")


def _fits(column: pd.DataFrame) -> bool:
    """Whether the values of a table of one column have the type of that column."""
    wanted = [field for field in SCHEMA if field.name in column.columns]
    try:
        pa.Table.from_pandas(column, pa.schema(wanted) if wanted else None, preserve_index=False)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return False
    return True
