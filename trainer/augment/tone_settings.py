"""What changes the gray of each px by itself, and how much; black is 0, white 1."""

from dataclasses import dataclass

from trainer.requirements import require_natural, require_probability, require_range, require_share


@dataclass(frozen=True, slots=True)
class WindowSettings:
    """Move the window: its center by a share of its width, its width by a factor 1 +- `width`."""

    p: float = 0.0
    center: float = 0.05
    width: float = 0.1

    def __post_init__(self) -> None:
        require_probability("window.p", self.p)
        require_natural("window.center", self.center)
        require_share("window.width", self.width)


@dataclass(frozen=True, slots=True)
class BrightnessSettings:
    """A gray x becomes x (1 + contrast) + add, each drawn from its range."""

    p: float = 0.0
    add: tuple[float, float] = (-0.1, 0.1)
    contrast: tuple[float, float] = (-0.1, 0.1)

    def __post_init__(self) -> None:
        require_probability("brightness.p", self.p)
        require_range("brightness.add", self.add, -1, 1)
        require_range("brightness.contrast", self.contrast, -1, 10)


@dataclass(frozen=True, slots=True)
class GammaSettings:
    """A gray x becomes x ** gamma, which is drawn from `power`."""

    p: float = 0.0
    power: tuple[float, float] = (0.8, 1.2)

    def __post_init__(self) -> None:
        require_probability("gamma.p", self.p)
        require_range("gamma.power", self.power, 0.1, 10)


@dataclass(frozen=True, slots=True)
class CurveSettings:
    """The cubic Bezier curve over (0, low, high, 1), low and high normal about 1/4 and 3/4.

    `spread` is the standard deviation of both; they are kept within [0, 1].
    """

    p: float = 0.0
    spread: float = 0.1

    def __post_init__(self) -> None:
        require_probability("curve.p", self.p)
        require_natural("curve.spread", self.spread)
