"""Which random changes images undergo in training."""

from dataclasses import dataclass

from trainer.requirements import require_probability


@dataclass(frozen=True, slots=True)
class AugmentSettings:
    """Random changes of each image, in the order of the fields; a probability of 0 leaves one out.

    `preset` names the file of configs/augment that the other values were taken from.
    """

    preset: str = "none"
    hflip: float = 0.0
    vflip: float = 0.0

    def __post_init__(self) -> None:
        require_probability("hflip", self.hflip)
        require_probability("vflip", self.vflip)
