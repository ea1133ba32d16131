"""What gave no image: how many inputs by code, what that means, and which they were.

Inputs are named by keyed ids, never by path.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from dali_pipelines.columns import escape
from dali_pipelines.identity import image_id
from dali_pipelines.rejects.explanations import explain
from dali_pipelines.verdicts import Reject

_MOST_LISTED: Final = 100


@dataclass(frozen=True, slots=True)
class RejectLine:
    """One input that gave no image; `input_id` is "" where nothing can name it."""

    input_id: str
    stage: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class RejectCount:
    """The inputs of one code, and the code in words."""

    code: str
    count: int
    meaning: str
    advice: str


@dataclass(frozen=True, slots=True)
class RejectList:
    """All rejects by code, the most frequent first, and the first of them one by one.

    `inputs` is how many there were in all, None where that is not known.
    """

    inputs: int | None
    total: int
    counts: Sequence[RejectCount]
    lines: Sequence[RejectLine]


def reject_list(rejects: Sequence[Reject], inputs: int | None, key: bytes | None) -> RejectList:
    """Each input once, though a scan, a run and a prediction may all have met it."""
    every = list({(r.path, r.member, r.image_id): r for r in rejects}.values())
    counts = Counter(reject.reason for reject in every)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0].value))
    texts = {reason: explain(reason) for reason in counts}
    return RejectList(
        inputs=inputs,
        total=len(every),
        counts=[RejectCount(r.value, n, texts[r].meaning, texts[r].advice) for r, n in ordered],
        lines=[
            RejectLine(_name(reject, key), reject.stage, reject.reason.value, reject.detail)
            for reject in every[:_MOST_LISTED]
        ],
    )


def _name(reject: Reject, key: bytes | None) -> str:
    if reject.image_id or key is None:
        return reject.image_id
    return image_id(key, escape(reject.path + reject.member))  # names of files may be no UTF-8
