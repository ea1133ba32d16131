"""What the frames of one maximum must share, and what is odd where they differ.

A maximum intensity projection compares stored values, so these must mean the same in all frames.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

from pydicom.dataset import Dataset

from dali_pipelines.dicom.laterality_view import find_laterality, find_view
from dali_pipelines.records import Grayscale, StreamInfo
from dali_pipelines.verdicts import Flag, Reason, RejectError

MOST_BYTES: Final = 1 << 28  # of the codestreams of all frames, which are in memory at once


def require_alike(streams: Sequence[StreamInfo]) -> None:
    """RejectError(UNSUPPORTED) where frames of one maximum are packed in different ways."""
    if any(stream != streams[0] for stream in streams):
        raise RejectError(
            Reason.UNSUPPORTED,
            "the codestreams of the frames differ in kind, precision or predictor, so there is no "
            "maximum over them; take single frames",
        )


def require_small(size: int) -> None:
    """RejectError(TOO_LARGE) where the codestreams of one maximum have more than 256 MiB."""
    if size > MOST_BYTES:
        raise RejectError(
            Reason.TOO_LARGE,
            f"the codestreams of the frames have {size} bytes, a maximum over frames is limited to "
            f"{MOST_BYTES}; use --frames middle",
        )


def compare_frames(
    frames: Iterable[Dataset], read: Callable[[Dataset], tuple[Grayscale, tuple[Flag, ...]]]
) -> tuple[Flag, ...]:
    """What is odd about a maximum over frames, by the data set that each sees.

    `read` gives the grayscale of one, as `read_grayscale` does.
    FRAMES_DIFFER where they have other windows or VOI LUTs; the first one's are used.
    LATERALITY_CONFLICT, VIEW_CONFLICT where they name different sides or views, or one of them
    contradicts itself. RejectError(UNSUPPORTED) where rescale, modality LUT, sign, polarity or
    padding differ: then one stored value stands for several, and there is no greatest.
    """
    first: Grayscale | None = None
    sides, views, found = set[str](), set[str](), set[Flag]()
    for frame in frames:
        grayscale, _ = read(frame)
        first = first or grayscale
        _require_same_modality(first, grayscale)
        laterality, (view, _, contradicts) = find_laterality(frame), find_view(frame)
        sides |= {laterality.side} - {""}
        views |= {view} - {""}
        oddities = {
            Flag.FRAMES_DIFFER: grayscale != first,
            Flag.LATERALITY_CONFLICT: laterality.conflict or len(sides) > 1,
            Flag.VIEW_CONFLICT: contradicts or len(views) > 1,
        }
        found |= {flag for flag, present in oddities.items() if present}
    return tuple(sorted(found))


def _require_same_modality(first: Grayscale, other: Grayscale) -> None:
    shown_alike = replace(
        other, function=first.function, windows=first.windows, voi_luts=first.voi_luts
    )
    if shown_alike != first:
        raise RejectError(
            Reason.UNSUPPORTED,
            "rescale, modality LUT, sign, polarity or padding differ between the frames, so there "
            "is no maximum over their stored values; take single frames",
        )
