"""What changes a px with its neighbors, with noise, or takes it away, and how much."""

from dataclasses import dataclass

from trainer.requirements import require, require_probability, require_range


@dataclass(frozen=True, slots=True)
class DownscaleSettings:
    """Shrink by a factor from `scale` and enlarge again, both linear and without antialias."""

    p: float = 0.0
    scale: tuple[float, float] = (0.75, 0.95)

    def __post_init__(self) -> None:
        require_probability("downscale.p", self.p)
        require_range("downscale.scale", self.scale, 0.05, 1)


@dataclass(frozen=True, slots=True)
class BlurSettings:
    """A Gaussian whose `sigma` in px is drawn from that range."""

    p: float = 0.0
    sigma: tuple[float, float] = (0.5, 1.5)

    def __post_init__(self) -> None:
        require_probability("blur.p", self.p)
        require_range("blur.sigma", self.sigma, 0.1, 10)


@dataclass(frozen=True, slots=True)
class NoiseSettings:
    """Gaussian noise whose standard deviation, as a share of the range, is drawn from `std`."""

    p: float = 0.0
    std: tuple[float, float] = (0.005, 0.02)

    def __post_init__(self) -> None:
        require_probability("noise.p", self.p)
        require_range("noise.std", self.std, 0, 1)


@dataclass(frozen=True, slots=True)
class DropoutSettings:
    """Black rectangles: how many, and their `height` and `width` as shares of the frame's."""

    p: float = 0.0
    holes: tuple[int, int] = (1, 8)
    height: tuple[float, float] = (0.05, 0.1)
    width: tuple[float, float] = (0.05, 0.1)

    def __post_init__(self) -> None:
        require_probability("dropout.p", self.p)
        require_range("dropout.holes", self.holes, 1, 64)
        require_range("dropout.height", self.height, 0, 1)
        require_range("dropout.width", self.width, 0, 1)


@dataclass(frozen=True, slots=True)
class MixupSettings:
    """Mix an image and its label with another of its batch, by weights from Beta(alpha, alpha).

    Zhang et al., ICLR 2018. The other one is of the same rank's batch.
    """

    p: float = 0.0
    alpha: float = 0.2

    def __post_init__(self) -> None:
        require_probability("mixup.p", self.p)
        require(0 < self.alpha <= 100, "mixup.alpha", "in (0, 100]", self.alpha)
