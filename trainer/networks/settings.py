"""What the network is: its architecture, its head, and how much of an exam it sees at once."""

from dataclasses import dataclass
from typing import Final, Literal, get_args

from trainer.requirements import require, require_share

Unit = Literal["image", "breast", "exam"]
Pool = Literal["default", "avg", "max", "avgmax", "gem"]
Fusion = Literal["concat", "max", "attention", "transformer"]

VIEWS: Final[dict[Unit, int]] = {"image": 1, "breast": 2, "exam": 4}  # slots of a unit
POOLS: Final[tuple[str, ...]] = get_args(Pool)
FUSIONS: Final[tuple[str, ...]] = get_args(Fusion)


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """The network: a timm architecture, and a local file of weights ("" starts from scratch).

    `pool` is how the feature map becomes one vector: "default" is the architecture's own choice,
    "max" suits findings that are small in the image, as the winner of RSNA 2023 found, "gem" is
    the generalized mean with a learned exponent. `head` "mlp" puts a hidden layer of `hidden`
    before the output, as the winner of SPR 2025 did. `drop` is the dropout of the head,
    `drop_path` that of whole residual branches. `padding` "nominal" pads a tf_efficientnet_b* as
    Mammo-CLIP's code does, once for the nominal size. `stem` is what becomes of the three channels
    of a pretrained first layer where images have one: their "sum" does to gray what they did, their
    "mean" a third of it, as Stemgene had it.

    `unit` is what one score is for: an image, a breast (CC and MLO fused) or an exam (both views
    of both breasts). `fusion` is how a unit's views become one vector, and means nothing for an
    image; "concat" needs all of them and puts zeros for a missing one, the others leave it out.
    A "transformer" has `layers` layers, and alone tells views and sides apart and looks at all of
    them together.
    """

    name: str = "convnext_small"
    pretrained: str = ""
    pool: Pool = "default"
    head: Literal["linear", "mlp"] = "linear"
    hidden: int = 512
    drop: float = 0.0
    drop_path: float = 0.0
    padding: Literal["own", "nominal"] = "own"
    stem: Literal["sum", "mean"] = "sum"
    unit: Unit = "image"
    fusion: Fusion = "attention"
    layers: int = 1

    def __post_init__(self) -> None:
        require(bool(self.name), "name", "a timm architecture", self.name)
        require_share("drop", self.drop)
        require_share("drop_path", self.drop_path)
        require(self.hidden >= 1, "hidden", "1 or more", self.hidden)
        require(self.layers >= 1, "layers", "1 or more", self.layers)

    @property
    def views(self) -> int:
        """How many images a unit has at most."""
        return VIEWS[self.unit]
