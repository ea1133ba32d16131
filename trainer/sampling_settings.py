"""What an epoch shows, and what a batch of it holds."""

from dataclasses import dataclass
from typing import Literal

from trainer.requirements import require

# one value for all epochs, or [epoch, value] pairs: from that epoch on, counted from 0
PerEpoch = float | tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class DataSettings:
    """What a batch of one rank holds, and who is left out.

    `batch` counts units: images, breasts or exams, as `model.unit` says. `positive_share` is the
    share of positives, null takes them as they come. `balance` is how that share is reached:
    "block" puts it into every batch, rounded and with one of each class at least: each negative
    once an epoch and the positives cycled, as many as there is room for; "repeat" repeats
    positives in a shuffled epoch until they are that share, and leaves out none; "draw" draws as
    many units as there are with replacement, by weight. `keep_negatives` is the share of the
    negatives that an epoch shows, drawn anew for each. Both shares may change over epochs:
    [[0, 0.5], [5, 0.25]] takes 0.5 until epoch 5 begins.

    `patients` "apart" keeps units of one patient out of the same batch as far as that can be;
    "one" shows one unit of each patient and class an epoch, drawn anew, before anything else.
    `unlabeled` says what to do with images that have no label: stop, or leave them out.
    """

    batch: int = 8
    positive_share: PerEpoch | None = 0.25
    balance: Literal["block", "repeat", "draw"] = "block"
    keep_negatives: PerEpoch = 1.0
    patients: Literal["any", "apart", "one"] = "any"
    unlabeled: Literal["stop", "drop"] = "stop"

    def __post_init__(self) -> None:
        require(self.batch >= 1, "batch", "1 or more", self.batch)
        share = self.positive_share
        if share is not None:
            _require_shares("positive_share", share, "in (0, 1) or null", open_above=True)
            require(
                self.batch >= 2 or self.balance != "block",
                "batch",
                "2 or more to be balanced",
                self.batch,
            )
        _require_shares("keep_negatives", self.keep_negatives, "in (0, 1]", open_above=False)


def at_epoch(value: PerEpoch, epoch: int) -> float:
    """The value that counts in an epoch, counted from 0."""
    if isinstance(value, tuple):
        return next(share for start, share in reversed(value) if start <= epoch)
    return value


def _require_shares(name: str, value: PerEpoch, wanted: str, *, open_above: bool) -> None:
    pairs = value if isinstance(value, tuple) else ((0, value),)
    for _, share in pairs:
        require(0 < share < 1 or (share == 1 and not open_above), name, wanted, share)
    starts = [start for start, _ in pairs]
    rising = starts == sorted(set(starts)) and starts[:1] == [0]
    require(rising, name, "a share, or pairs [epoch, share] from epoch 0 on in order", value)
