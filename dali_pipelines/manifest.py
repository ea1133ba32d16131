"""The rows of a manifest <-> one parquet file, which every later command starts from.

A working file: mode 0600.
"""

from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from dali_pipelines.atomic import PRIVATE_MODE, replacing
from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.manifest_schema import require_columns, to_arrow, to_pandas

VERSION: Final = 2
_VERSION_KEY: Final = b"mammostream_manifest"
SCAN: Final = "mammostream_scan"  # in `attrs` of a frame: text on the scan behind it


def write_manifest(frame: pd.DataFrame, path: Path) -> None:
    """Write the rows in one step, so that `path` never holds half a table.

    What `attrs` has under SCAN goes along. The bytes depend on that and the rows alone. Raises
    DatasetError where a column of SCHEMA is missing.
    """
    metadata = {_VERSION_KEY: str(VERSION).encode()}
    if SCAN in frame.attrs:
        metadata[SCAN.encode()] = frame.attrs[SCAN].encode()
    table = to_arrow(frame).replace_schema_metadata(metadata)
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
        frame = to_pandas(file.read())
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
    require_columns(schema.names)
