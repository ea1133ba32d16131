"""What a manifest says of the scan behind it: how that read, and which rejects are its own.

Both lie in the metadata of the manifest, and stay when another command rewrites its rows.
"""

import hashlib
import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from dali_pipelines.dicom.read_options import ReadOptions
from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.manifest import SCAN
from dali_pipelines.verdicts import Reject


@dataclass(frozen=True, slots=True)
class Origin:
    """`read`: the options of the scan; `rejects`: the digest of its table of rejects."""

    read: ReadOptions
    rejects: str


def digest_rejects(rejects: Iterable[Reject]) -> str:
    """SHA-256 of the rows, in whatever order: of what they say, not of how a file holds it."""
    rows = sorted(
        (row.path, row.member, row.image_id, row.stage, row.reason.value, row.detail)
        for row in rejects
    )
    return hashlib.sha256(json.dumps(rows).encode("ascii")).hexdigest()


def set_origin(frame: pd.DataFrame, origin: Origin) -> None:
    """Have the frame say where it is from, for `write_manifest`."""
    frame.attrs[SCAN] = json.dumps(asdict(origin), sort_keys=True)


def get_origin(frame: pd.DataFrame, manifest: Path) -> Origin:
    """What the rows of `manifest` say; DatasetError where they do not, or of other options."""
    try:
        content = json.loads(frame.attrs[SCAN])
        return Origin(ReadOptions(**content["read"]), content["rejects"])
    except (KeyError, TypeError, ValueError) as error:
        raise DatasetError(
            f"{str(manifest)!r} does not say with what options it was scanned; scan again, and "
            "each part of a combined manifest for itself"
        ) from error


def require_same_options(
    origin: Origin, read: ReadOptions, given: Collection[str], manifest: Path
) -> None:
    """Raise ConfigError where one of the fields `given` of `read` contradicts the scan."""
    pairs = [(name, getattr(origin.read, name), getattr(read, name)) for name in sorted(given)]
    wrong = [f"{name} {old!r}, not {new!r}" for name, old, new in pairs if old != new]
    if wrong:
        raise ConfigError(
            f"{str(manifest)!r} was scanned with {'; '.join(wrong)}; leave out what contradicts "
            "it, or scan all again"
        )
