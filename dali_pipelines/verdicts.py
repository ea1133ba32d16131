"""The closed set of codes that an input can end with.

Every input ends as exactly one of ok, flagged, skipped or failed. `Reason` holds the codes for
skipped and failed, `Flag` the remarks that an accepted image may carry. Nothing else is ever
written to a manifest or to rejects.csv, so that scripts may rely on these strings.
`explanations` says what each means.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

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
    MISMATCH = "E_MISMATCH"
    UNEXPECTED = "E_UNEXPECTED"

    @property
    def status(self) -> Status:
        """FAILED for the `E_` codes, SKIPPED for the others."""
        return Status.FAILED if self.value.startswith("E_") else Status.SKIPPED

    @property
    def may_pass(self) -> bool:
        """Whether it says more about the moment than about the file."""
        return self in _PASSING


_PASSING: Final = frozenset(
    (
        Reason.IO,
        Reason.PERMISSION,
        Reason.CHANGED,
        Reason.DECODER_CRASH,
        Reason.TIMEOUT,
        Reason.OUT_OF_MEMORY,
        Reason.UNEXPECTED,
    )
)


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
    OFFSET_TABLE = "offset_table_wrong"
    FRAMES_DIFFER = "frames_differ"
    HIGH_BIT = "high_bit_shifted"
    NONCONFORMANT_RESCALE = "nonconformant_rescale"
    VOI_ABSENT = "voi_absent"
    VOI_INVALID = "voi_invalid"
    VOI_VM_MISMATCH = "voi_vm_mismatch"
    LUT_INVALID = "lut_invalid"
    LUT_RANGE_SUSPECT = "lut_range_suspect"
    PADDING_SUSPECT = "padding_range_suspect"
    PADDING_LOSSY = "padding_after_lossy"
    POLARITY_CONFLICT = "polarity_conflict"
    LATERALITY_CONFLICT = "laterality_conflict"
    VIEW_CONFLICT = "view_conflict"
    LATERALITY_INFERRED = "laterality_inferred"
    NO_LATERALITY = "no_laterality"
    NO_VIEW = "no_view"
    SECONDARY_CAPTURE = "sc"
    NOT_MG = "not_mg"
    FOR_PROCESSING = "for_processing_accepted"
    SYNTHETIC_2D = "synthetic_2d"
    TOMOSYNTHESIS = "tomosynthesis"
    CONTRAST = "contrast"
    BIOPSY = "biopsy"
    SPOT = "spot"
    MAGNIFICATION = "magnification"
    LOSSY_HISTORY = "lossy_history"
    BURNED_IN = "burned_in"
    IMPLANT = "implant"
    QUALITY_CONTROL = "quality_control"
    PARTIAL_VIEW = "partial_view"
    CONSTANT = "constant_image"
    BACKGROUND_BRIGHT = "background_bright"
    NO_BREAST = "no_breast"
    SATURATED = "saturated"
    SIDE_CONFLICT = "side_conflict"


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
