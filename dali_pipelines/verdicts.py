"""The closed set of codes that an input can end with, and `rejects.csv`.

Every input ends as exactly one of ok, flagged, skipped or failed. `Reason` holds the codes for
skipped and failed, `Flag` the remarks that an accepted image may carry. Nothing else is ever
written to a manifest or to rejects.csv, so that scripts may rely on these strings.
"""

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeVar

from dali_pipelines.atomic import PRIVATE_MODE, replacing
from dali_pipelines.errors import MammoError

T = TypeVar("T")


class Status(StrEnum):
    """How one input ended."""

    OK = "ok"
    FLAGGED = "flagged"
    SKIPPED = "skipped"
    FAILED = "failed"


class Reason(StrEnum):
    """Why an input gave no image. Lower case: skipped, not our kind of input. `E_`: failed."""

    NOT_DICOM = "not_dicom"
    NOT_AN_IMAGE = "not_an_image"
    NOT_A_FILE = "not_a_file"
    DIRECTORY_LOOP = "directory_loop"
    COLOR = "color"
    MULTIFRAME = "multiframe"
    FOR_PROCESSING = "for_processing"
    NOT_MAMMOGRAPHY = "not_mammography"
    DUPLICATE = "duplicate"

    EMPTY = "E_EMPTY"
    IO = "E_IO"
    PERMISSION = "E_PERM"
    CHANGED = "E_CHANGED"
    TRUNCATED = "E_TRUNCATED"
    CORRUPT = "E_CORRUPT"
    HEADER = "E_HEADER"
    NO_PIXELS = "E_NO_PIXELS"
    FRAMES = "E_FRAMES"
    GEOMETRY = "E_GEOMETRY"
    SYNTAX = "E_SYNTAX"
    UNSUPPORTED = "E_UNSUPPORTED"
    TOO_LARGE = "E_TOO_LARGE"
    RESCALE = "E_GRAY_RESCALE"
    VOI = "E_GRAY_VOI"
    LUT = "E_GRAY_LUT"
    DUPLICATE_CONFLICT = "E_DUP_CONFLICT"
    DECODER_CRASH = "E_DECODER_CRASH"
    TIMEOUT = "E_TIMEOUT"
    OUT_OF_MEMORY = "E_OOM"
    UNEXPECTED = "E_UNEXPECTED"

    @property
    def status(self) -> Status:
        """FAILED for the `E_` codes, SKIPPED for the others."""
        return Status.FAILED if self.value.startswith("E_") else Status.SKIPPED


class Flag(StrEnum):
    """What is odd about an image that was accepted all the same."""

    SYNTAX_MISMATCH = "ts_mismatch"
    SIGN_MISMATCH = "sign_mismatch"
    PRECISION_MISMATCH = "precision_mismatch"
    LOSSY_IN_LOSSLESS = "lossy_in_lossless_ts"
    UNPROVEN = "unproven"
    BOXED = "jp2_box"
    TRAILING_BYTES = "trailing_bytes"
    NO_DELIMITER = "no_seq_delim"
    LENGTH_BEYOND_EOF = "length_beyond_eof"
    EXCESS_BYTES = "excess_bytes"
    HIGH_BIT = "high_bit_shifted"
    NONCONFORMANT_RESCALE = "nonconformant_rescale"
    VOI_ABSENT = "voi_absent"
    VOI_INVALID = "voi_invalid"
    VOI_VM_MISMATCH = "voi_vm_mismatch"
    LUT_INVALID = "lut_invalid"
    LUT_RANGE_SUSPECT = "lut_range_suspect"
    PADDING_SUSPECT = "padding_range_suspect"
    POLARITY_CONFLICT = "polarity_conflict"
    LATERALITY_CONFLICT = "laterality_conflict"
    VIEW_CONFLICT = "view_conflict"
    NO_LATERALITY = "no_laterality"
    NO_VIEW = "no_view"
    SECONDARY_CAPTURE = "sc"
    NOT_MG = "not_mg"
    SYNTHETIC_2D = "synthetic_2d"
    LOSSY_HISTORY = "lossy_history"
    BURNED_IN = "burned_in"
    IMPLANT = "implant"
    QUALITY_CONTROL = "quality_control"
    PARTIAL_VIEW = "partial_view"


class RejectError(ValueError):
    """One input gives no image; costs that input only and ends as a row of rejects.csv."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason.value}: {self.detail}"


def guarded(step: Callable[[], T]) -> T | RejectError:
    """What the step gives, or the reason why this sample has none: the boundary of one file.

    A MammoError is not about a file, and goes through.
    """
    try:
        return step()
    except RejectError as error:
        return error
    except MammoError:
        raise
    except Exception as error:  # noqa: BLE001 - whatever one file does, the others go on
        return RejectError(Reason.UNEXPECTED, type(error).__name__)


@dataclass(frozen=True, slots=True)
class Reject:
    """One row of rejects.csv. `path` and `member` name the input, `detail` is one sentence."""

    path: str
    member: str
    image_id: str
    stage: str
    reason: Reason
    detail: str


REJECT_COLUMNS: Final = ("path", "member", "image_id", "stage", "status", "code", "detail")

_FORMULA_STARTS: Final = frozenset("=+-@\t")


def write_rejects(rejects: Iterable[Reject], path: Path) -> int:
    """Write rejects.csv (mode 0600, replaced in one step) sorted by input; return the row count."""
    rows = sorted(rejects, key=lambda r: (r.path, r.member, r.stage, r.reason.value))
    with (
        replacing(path, PRIVATE_MODE) as aside,
        aside.open("w", newline="", encoding="utf-8", errors="backslashreplace") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(REJECT_COLUMNS)
        for r in rows:
            cells = (r.path, r.member, r.image_id, r.stage, r.reason.status, r.reason, r.detail)
            writer.writerow(_safe_cell(str(cell)) for cell in cells)
    return len(rows)


def read_rejects(path: Path) -> list[Reject]:
    """The rows of a rejects.csv; line breaks stay as the two characters that were written."""
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Reject(
                path=_plain_cell(row["path"]),
                member=_plain_cell(row["member"]),
                image_id=row["image_id"],
                stage=row["stage"],
                reason=Reason(row["code"]),
                detail=_plain_cell(row["detail"]),
            )
            for row in csv.DictReader(file)
        ]


def _safe_cell(text: str) -> str:
    """Text with line breaks escaped, and quoted where a spreadsheet would read a formula."""
    flat = text.replace("\r", "\\r").replace("\n", "\\n")
    return f"'{flat}" if flat[:1] in _FORMULA_STARTS else flat


def _plain_cell(cell: str) -> str:
    return cell[1:] if cell[:1] == "'" and cell[1:2] in _FORMULA_STARTS else cell
