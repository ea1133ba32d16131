"""What moves px to other places, and how far."""

from dataclasses import dataclass
from typing import Literal

from trainer.requirements import require, require_natural, require_probability, require_range


@dataclass(frozen=True, slots=True)
class CropSettings:
    """Cut out a box of random size, shape and place, and enlarge it to the frame.

    `scale` is the share of the frame's area, `ratio` width / height of the box; a box that would
    be larger than the frame is cut to it. `fit` "pad" keeps the aspect, centers the box and makes
    the rest black; "stretch" fills the frame.
    """

    p: float = 0.0
    scale: tuple[float, float] = (0.5, 1.0)
    ratio: tuple[float, float] = (0.5, 0.8)
    fit: Literal["pad", "stretch"] = "pad"

    def __post_init__(self) -> None:
        require_probability("crop.p", self.p)
        require_range("crop.scale", self.scale, 0.01, 1)
        require_range("crop.ratio", self.ratio, 0.1, 10)


@dataclass(frozen=True, slots=True)
class AffineSettings:
    """Shear, scale, rotate about the center and shift, in this order.

    `rotate` and `shear` (horizontal and vertical) are the largest angles in degrees, to either
    side. `shift` (vertical, horizontal) is the largest share of height and width. `scale` is a
    range of factors, above 1 enlarges.
    """

    p: float = 0.0
    rotate: float = 10.0
    shift: tuple[float, float] = (0.05, 0.05)
    scale: tuple[float, float] = (0.9, 1.1)
    shear: tuple[float, float] = (0.0, 0.0)

    def __post_init__(self) -> None:
        require_probability("affine.p", self.p)
        require_natural("affine.rotate", self.rotate)
        for share in self.shift:
            require_probability("affine.shift", share)
        require_range("affine.scale", self.scale, 0.1, 10)
        for angle in self.shear:  # both at 45 degrees would fold the plane into a line
            require(0 <= angle <= 40, "affine.shear", "in [0, 40] degrees", angle)


@dataclass(frozen=True, slots=True)
class ElasticSettings:
    """Move each px by a smooth random field, as Simard et al., ICDAR 2003, section 2.

    The field is noise uniform in [-1, 1], smoothed by a Gaussian of `sigma` px, times `alpha`: its
    root mean square is alpha / (sigma * sqrt(12 pi)) px on each axis. `affine` px moves the three
    corners of a square in the middle first, by that much at most on each axis.
    """

    p: float = 0.0
    alpha: float = 120.0
    sigma: float = 6.0
    affine: float = 0.0

    def __post_init__(self) -> None:
        require_probability("elastic.p", self.p)
        require_natural("elastic.alpha", self.alpha)
        require(self.sigma >= 1, "elastic.sigma", "1 px or more", self.sigma)
        require_natural("elastic.affine", self.affine)


@dataclass(frozen=True, slots=True)
class GridSettings:
    """Stretch and squeeze `steps` columns and rows, each by a factor of 1 - limit to 1 + limit."""

    p: float = 0.0
    steps: int = 5
    limit: float = 0.3

    def __post_init__(self) -> None:
        require_probability("grid.p", self.p)
        require(1 <= self.steps <= 64, "grid.steps", "in [1, 64]", self.steps)
        require_probability("grid.limit", self.limit)


@dataclass(frozen=True, slots=True)
class OpticalSettings:
    """Barrel and pincushion distortion: radius r becomes r (1 + k r^2 + k r^4).

    |k| is `limit` at most; r is 1/2 at the middle of each edge of the frame. The model is that of
    OpenCV's camera, k1 = k2 = k.
    """

    p: float = 0.0
    limit: float = 0.3

    def __post_init__(self) -> None:
        require_probability("optical.p", self.p)
        require(0 <= self.limit <= 2, "optical.limit", "in [0, 2]", self.limit)
