"""Decode images of a manifest twice, by different decoders, and compare: `mammo verify`.

Three questions to each image: are its bytes those that the scan saw, do two decoders read the same
values from them, and does the picture look like a mammogram. Both decoders run in children, as in
any run, so a file that kills one costs one row.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import closing
from dataclasses import dataclass, field, fields, replace
from functools import partial
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.inspection.content import look_at
from dali_pipelines.inspection.second_decoder import (
    SECOND_BYTES_PER_PIXEL,
    SecondDecoder,
    second_decoder,
)
from dali_pipelines.isolation.pool import DecodePool
from dali_pipelines.reader import read_encoded
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord, StreamKind
from dali_pipelines.rejects.rejections import Rejections
from dali_pipelines.shading import image_shading
from dali_pipelines.stages import Encoded, Pixels
from dali_pipelines.steps import load_steps
from dali_pipelines.stored_values import stored_patterns
from dali_pipelines.verdicts import Flag, Reason, Reject, RejectError, guarded

SECOND_DECODER: Final = "dali_pipelines.inspection.second_decoder:decode_second"

_WHOLE: Final = Recipe("verify")  # every wavelet level, and the default window
# Of the second decoder these tell its own limits: GDCM aborts where memory is lacking, for one.
_SAYS_NOTHING: Final = {
    *(Reason.UNSUPPORTED, Reason.TIMEOUT, Reason.OUT_OF_MEMORY, Reason.DECODER_CRASH),
    Reason.UNEXPECTED,
}


@dataclass(slots=True)
class KindReport:
    """What became of the images of one kind of codestream; each counts under one outcome.

    `hashed`: read, and their bytes have the SHA-256 of the scan; `unhashed`: read, but the scan
    took none. `second`: by which decoders they were compared, and how independent these are;
    `reasons`: why others were not. `max_difference` is between stored values.
    """

    images: int = 0
    equal: int = 0
    differing: int = 0
    not_compared: int = 0
    rejected: int = 0
    hashed: int = 0
    unhashed: int = 0
    max_difference: int = 0
    second: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)

    def to_dict(self) -> dict[str, Any]:
        """Plain nested values, for JSON."""
        values = {part.name: getattr(self, part.name) for part in fields(self)}
        return {**values, "second": dict(self.second), "reasons": dict(self.reasons)}


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found, by kind of codestream, and which images have each content flag.

    `rejects` holds the images that gave no picture, or two different ones (MISMATCH).
    """

    kinds: dict[StreamKind, KindReport]
    flags: dict[Flag, list[str]]
    rejects: list[Reject]

    @property
    def flagged(self) -> set[str]:
        """The ids of the images with any content flag."""
        return {image_id for images in self.flags.values() for image_id in images}

    def to_dict(self) -> dict[str, Any]:
        """Plain nested values, for JSON."""
        return {
            "kinds": {name: kind.to_dict() for name, kind in self.kinds.items()},
            "flags": {flag.value: images for flag, images in self.flags.items()},
            "rejects": {reject.image_id: reject.reason.value for reject in self.rejects},
        }


def verify(
    records: Sequence[ImageRecord],
    threads: int,
    progress: Callable[[int], None] = lambda _rejects: None,
) -> Verification:
    """Check each record; `progress` is called after each with the rejects so far.

    Memory is that of `threads` images and two decoders each. DeviceError where none can be started.
    """
    rejections = Rejections(records)
    kinds: dict[StreamKind, KindReport] = {}
    flags: defaultdict[Flag, list[str]] = defaultdict(list)
    with closing(_Decoders(threads)) as decoders, ThreadPoolExecutor(threads) as pool:
        try:
            jobs = {pool.submit(_check, record, decoders): k for k, record in enumerate(records)}
            for job in as_completed(jobs):
                checked, k = job.result(), jobs[job]
                if checked.error is not None:
                    rejections.add(k, checked.stage, checked.error)
                for flag in checked.flags:
                    flags[flag].append(records[k].image_id)
                _count(kinds.setdefault(records[k].stream.kind, KindReport()), checked)
                progress(len(rejections.by_id))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            decoders.stop()
            raise
    in_order = {flag: sorted(flags[flag]) for flag in Flag if flag in flags}
    return Verification(dict(sorted(kinds.items())), in_order, rejections.rows)


@dataclass(frozen=True, slots=True)
class _Checked:
    """One image: how the comparison ended, and the error that is to become its row."""

    outcome: Literal["equal", "differing", "not_compared", "rejected"]
    hashed: bool | None = None  # None: it could not be read
    second: SecondDecoder | None = None
    max_difference: int = 0
    reason: str = ""
    flags: tuple[Flag, ...] = ()
    stage: str = ""
    error: RejectError | None = None


class _Decoders:
    """The run's decoders and the second ones, in children for `threads` threads."""

    def __init__(self, threads: int) -> None:
        self.first = DecodePool(threads)
        self.second = DecodePool(threads, SECOND_DECODER, bytes_per_pixel=SECOND_BYTES_PER_PIXEL)

    def stop(self) -> None:
        self.first.stop()
        self.second.stop()

    def close(self) -> None:
        self.first.close()
        self.second.close()


def _check(record: ImageRecord, decoders: _Decoders) -> _Checked:
    encoded = guarded(partial(read_encoded, record))
    if isinstance(encoded, RejectError):
        return _Checked("rejected", stage="read", error=encoded)
    hashed = bool(record.sha256)
    pixels = guarded(partial(decoders.first.decode, encoded, _WHOLE))
    if isinstance(pixels, RejectError):
        return _Checked("rejected", hashed, stage="decode", error=pixels)
    flags = guarded(partial(_content_flags, pixels, record))
    if isinstance(flags, RejectError):
        return _Checked("rejected", hashed, stage="prepare", error=flags)
    return replace(_compare(pixels, encoded, decoders), hashed=hashed, flags=flags)


def _content_flags(pixels: Pixels, record: ImageRecord) -> tuple[Flag, ...]:
    shading = image_shading(record, _WHOLE)
    (display,) = load_steps("cpu").window([pixels], [shading.display])
    return look_at(display, record.tags).flags


def _compare(pixels: Pixels, encoded: Encoded, decoders: _Decoders) -> _Checked:
    """What the second decoder makes of a codestream of which the run's made `pixels`."""
    chosen = second_decoder(encoded)
    if chosen.independence == "none":
        return _Checked("not_compared", reason=chosen.why_none)
    second = guarded(partial(decoders.second.decode, encoded, _WHOLE))
    if isinstance(second, Pixels):
        return _judge(pixels, second, encoded.record, chosen)
    if second.reason in _SAYS_NOTHING:
        return _Checked("not_compared", reason=f"{chosen.library}: {second.detail}")
    detail = f"the run's decoder gives a picture, {chosen.library} does not: {second.detail}"
    return _differing(chosen, 0, detail)


def _judge(first: Pixels, second: Pixels, record: ImageRecord, chosen: SecondDecoder) -> _Checked:
    one, other = (
        stored_patterns(np.asarray(pixels.values), pixels.shift, record)
        for pixels in (first, second)
    )
    if one.shape != other.shape:
        return _differing(chosen, 0, f"{chosen.library} gives {other.shape} px, not {one.shape}")
    if np.array_equal(one, other):
        return _Checked("equal", second=chosen)
    apart = np.abs(_signed(one, record) - _signed(other, record))
    most = int(apart.max())
    if most <= chosen.tolerance:
        return _Checked("equal", second=chosen, max_difference=most)
    count = int(np.count_nonzero(apart > chosen.tolerance))
    detail = f"{count:,} of {apart.size:,} values differ from {chosen.library}'s, by up to {most:,}"
    return _differing(chosen, most, detail)


def _differing(chosen: SecondDecoder, most: int, detail: str) -> _Checked:
    return _Checked(
        "differing",
        second=chosen,
        max_difference=most,
        stage="verify",
        error=RejectError(Reason.MISMATCH, detail),
    )


def _signed(patterns: NDArray[np.uint16], record: ImageRecord) -> NDArray[np.int32]:
    """The stored values of these bit patterns, (H, W)."""
    values = patterns.astype(np.int32)
    sign = 1 << (record.grayscale.bits - 1)
    return (values ^ sign) - sign if record.grayscale.signed else values


def _count(kind: KindReport, checked: _Checked) -> None:
    kind.images += 1
    setattr(kind, checked.outcome, getattr(kind, checked.outcome) + 1)
    kind.hashed += checked.hashed is True
    kind.unhashed += checked.hashed is False
    kind.max_difference = max(kind.max_difference, checked.max_difference)
    if checked.second is not None:
        kind.second[f"{checked.second.library} ({checked.second.independence})"] += 1
    if checked.reason:
        kind.reasons[checked.reason] += 1
