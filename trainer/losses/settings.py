"""What is minimized."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from trainer.requirements import require, require_natural, require_positive, require_share


@dataclass(frozen=True, slots=True)
class TaskSettings:
    """How much each auxiliary task weighs; 0 leaves it out.

    Each reads the manifest's column of its name; a missing value costs nothing, and the mean is
    over all samples, so that a task known of a tenth of them weighs a tenth. `age` is the distance
    as a share of 100 years, `implant` yes or no; `birads` has 7 classes, `density` 4, `view` 4:
    CC, MLO, lateral and exaggerated CC.
    """

    age: float = 0.0
    birads: float = 0.0
    density: float = 0.0
    view: float = 0.0
    implant: float = 0.0

    def __post_init__(self) -> None:
        for name, weight in self.weights.items():
            require_natural(name, weight)

    @property
    def weights(self) -> Mapping[str, float]:
        """The weight of every task, by name."""
        return {
            "age": self.age,
            "birads": self.birads,
            "density": self.density,
            "view": self.view,
            "implant": self.implant,
        }

    @property
    def used(self) -> tuple[str, ...]:
        """The tasks that weigh anything, in their fixed order."""
        return tuple(name for name, weight in self.weights.items() if weight)


@dataclass(frozen=True, slots=True)
class LossSettings:
    """The loss of the cancer score, and of auxiliary tasks beside it.

    `pos_weight` multiplies the loss of positives; "auto" is negatives / positives among what an
    epoch shows. `smooth` moves targets toward 1/2 by half of it, or those of positives alone from
    1 to 1 - smooth. `focal_gamma` is of kind "focal", `beta` of kind "soft-fbeta", 1 - F of the
    units of one batch of one rank: another batch or number of ranks is another loss. `scale`
    multiplies the whole of the cancer loss.
    """

    kind: Literal["bce", "focal", "soft-fbeta"] = "bce"
    pos_weight: Literal["auto"] | float = 1.0
    smooth: float = 0.0
    smooth_side: Literal["both", "positive"] = "both"
    focal_gamma: float = 2.0
    beta: float = 1.0
    scale: float = 1.0
    tasks: TaskSettings = field(default_factory=TaskSettings)

    def __post_init__(self) -> None:
        if self.pos_weight != "auto":
            require_positive("pos_weight", self.pos_weight)
        require_share("smooth", self.smooth)
        require_natural("focal_gamma", self.focal_gamma)
        require_positive("beta", self.beta)
        require_positive("scale", self.scale)
        require(
            self.kind != "soft-fbeta" or (self.pos_weight == 1 and self.smooth == 0),
            "kind",
            "bce or focal where pos_weight or smooth is set",
            self.kind,
        )
