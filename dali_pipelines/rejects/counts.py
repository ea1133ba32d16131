"""How many inputs ended how: the one line that ends every command, and the check that none is lost.

An input is a file, a member of an archive or whatever else a scan meets; for a command that starts
from a manifest, one image.
"""

import shlex
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from dali_pipelines.verdicts import Reason, Reject, Status


@dataclass(frozen=True, slots=True)
class VerdictCounts:
    """Inputs by verdict; `reasons` has those that gave no image, the most frequent first."""

    ok: int
    flagged: int
    reasons: Mapping[Reason, int]

    @property
    def images(self) -> int:
        """Inputs that gave an image."""
        return self.ok + self.flagged

    @property
    def skipped(self) -> int:
        """Inputs that are not of our kind."""
        return self._of(Status.SKIPPED)

    @property
    def failed(self) -> int:
        """Inputs that ought to have been images."""
        return self._of(Status.FAILED)

    @property
    def rejected(self) -> int:
        """Inputs that gave no image."""
        return self.skipped + self.failed

    @property
    def inputs(self) -> int:
        """All of them."""
        return self.images + self.rejected

    def and_rejects(self, rejects: Iterable[Reject]) -> "VerdictCounts":
        """The counts with those of as many inputs more, none of which gave an image."""
        reasons = Counter(self.reasons) + Counter(reject.reason for reject in rejects)
        return replace(self, reasons=_sorted(reasons))

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON: one number a status, and one a code."""
        counts = {Status.OK: self.ok, Status.FLAGGED: self.flagged}
        counts |= {Status.SKIPPED: self.skipped, Status.FAILED: self.failed}
        codes = {reason.value: count for reason, count in self.reasons.items()}
        return {**{status.value: count for status, count in counts.items()}, "codes": codes}

    def line(self, table: Path) -> str:
        """One line such as "9 inputs: 6 ok, 2 flagged, 1 failed (E_EMPTY 1); mammo rejects ..."."""
        flagged = f", {self.flagged:,} flagged" if self.flagged else ""
        line = f"{counted(self.inputs, 'input')}: {self.ok:,} ok{flagged}"
        if not self.rejected:
            return line
        return f"{line}, {self.why()}; mammo rejects {shlex.quote(str(table))} explains them"

    def why(self) -> str:
        """Such as "8 failed (E_TRUNCATED 6, E_GEOMETRY 2)"; "" where nothing was rejected."""
        return ", ".join(filter(None, map(self._why, (Status.SKIPPED, Status.FAILED))))

    def _of(self, status: Status) -> int:
        return sum(count for reason, count in self.reasons.items() if reason.status is status)

    def _why(self, status: Status) -> str:
        codes = [f"{r.value} {n:,}" for r, n in self.reasons.items() if r.status is status]
        return f"{self._of(status):,} {status.value} ({', '.join(codes)})" if codes else ""


def count_verdicts(
    inputs: int, flagged: Iterable[bool], rejects: Iterable[Reject]
) -> VerdictCounts:
    """The counts of a command that was given so many `inputs`.

    `flagged` has one entry for each input that gave an image. An AssertionError is a bug: an input
    without a verdict, or with two.
    """
    accepted = Counter(bool(odd) for odd in flagged)
    counts = VerdictCounts(accepted[False], accepted[True], {}).and_rejects(rejects)
    assert counts.inputs == inputs, f"{counts.inputs} verdicts on {inputs} inputs"
    return counts


def count_images(flagged: Mapping[str, bool], rejects: Sequence[Reject]) -> VerdictCounts:
    """The counts of a command that was given those images by image_id; all others were accepted."""
    lost = {reject.image_id for reject in rejects}
    accepted = [odd for name, odd in flagged.items() if name not in lost]
    return count_verdicts(len(flagged), accepted, rejects)


def _sorted(reasons: Mapping[Reason, int]) -> dict[Reason, int]:
    """The most frequent first, those of one number by name."""
    return dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0].value)))


def counted(count: int, noun: str) -> str:
    """A number and its noun: "1 shard", "2,000 shards"."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
