"""Which random changes images undergo in training."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from trainer.augment.geometry_settings import (
    AffineSettings,
    CropSettings,
    ElasticSettings,
    GridSettings,
    OpticalSettings,
)
from trainer.augment.texture_settings import (
    BlurSettings,
    DownscaleSettings,
    DropoutSettings,
    MixupSettings,
    NoiseSettings,
)
from trainer.augment.tone_settings import (
    BrightnessSettings,
    CurveSettings,
    GammaSettings,
    WindowSettings,
)
from trainer.requirements import require, require_probability

Change = Literal[
    "hflip", "vflip", "crop", "affine", "elastic", "grid", "optical", "window", "brightness",
    "gamma", "curve", "downscale", "blur", "median", "noise", "dropout"
]  # fmt: skip
# Every change in a fixed order: its place is the number of its stream of random numbers, so a new
# one is appended.
CHANGES: Final[tuple[Change, ...]] = get_args(Change)
_ROUNDING: Final = 1e-9  # probabilities like 0.3 + 0.6 + 0.1 may add up to a little more than 1


@dataclass(frozen=True, slots=True)
class AugmentSettings:
    """Random changes of each image; a probability of 0 leaves one out.

    They come in this order: what changes gray (window, brightness, gamma, curve), what moves px
    (crop, flips, affine, then elastic, grid and optical), downscale, blur, median, noise, dropout;
    and mixup of the batch at the end. `preset` names the file of configs/augment that the other
    values were taken from.

    `share` is the share of images that are changed at all; the other probabilities are of those.
    `one_of` lists groups of changes of which an image undergoes one at most, each with its own
    probability. `border` is what lies outside of the frame: black, or the image reflected.
    `median` is of 3 x 3 px. Other lengths in px are those of the prepared image.
    """

    preset: str = "none"
    share: float = 1.0
    one_of: tuple[tuple[Change, ...], ...] = ()
    border: Literal["black", "reflect"] = "black"
    hflip: float = 0.0
    vflip: float = 0.0
    median: float = 0.0
    crop: CropSettings = field(default_factory=CropSettings)
    affine: AffineSettings = field(default_factory=AffineSettings)
    elastic: ElasticSettings = field(default_factory=ElasticSettings)
    grid: GridSettings = field(default_factory=GridSettings)
    optical: OpticalSettings = field(default_factory=OpticalSettings)
    window: WindowSettings = field(default_factory=WindowSettings)
    brightness: BrightnessSettings = field(default_factory=BrightnessSettings)
    gamma: GammaSettings = field(default_factory=GammaSettings)
    curve: CurveSettings = field(default_factory=CurveSettings)
    downscale: DownscaleSettings = field(default_factory=DownscaleSettings)
    blur: BlurSettings = field(default_factory=BlurSettings)
    noise: NoiseSettings = field(default_factory=NoiseSettings)
    dropout: DropoutSettings = field(default_factory=DropoutSettings)
    mixup: MixupSettings = field(default_factory=MixupSettings)

    def __post_init__(self) -> None:
        for name in ("share", "hflip", "vflip", "median"):
            require_probability(name, getattr(self, name))
        grouped = [name for group in self.one_of for name in group]
        wanted = "groups of changes, each named once"
        require(len(set(grouped)) == len(grouped), "one_of", wanted, list(grouped))
        for group in self.one_of:
            total = sum(self.probabilities[name] for name in group)
            wanted = "groups whose probabilities add up to 1 at most"
            require(total <= 1 + _ROUNDING, "one_of", wanted, list(group))

    @property
    def probabilities(self) -> Mapping[Change, float]:
        """The probability of every change, in the order of `CHANGES`."""
        return {name: _probability(getattr(self, name)) for name in CHANGES}

    @property
    def changes_images(self) -> bool:
        """Whether any image of a batch may change by itself."""
        return self.share > 0 and any(self.probabilities.values())


def _probability(part: Any) -> float:
    return float(getattr(part, "p", part))
