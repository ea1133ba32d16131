"""What a recipe says of the ROI: the method that finds the breast, with that method's constants.

Published methods work on 8-bit images. Their levels are compared with the upper 8 bits of a display
value, `value // 257`, which is what a cast of the same image to uint8 gives.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Method = Literal[
    "auto", "contour", "component", "otsu", "profile", "run", "mean-profile", "window", "none"
]


@dataclass(frozen=True, slots=True)
class AutoSettings:
    """Our own method; `threshold` is a share of the display range above background.

    `margin` widens the box on each side by that share of its size. A box below `min_area` (share
    of the frame) counts as not found, and the full frame is kept.
    """

    threshold: float = 0.04
    margin: float = 0.02
    min_area: float = 0.04

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 1 or not 0 <= self.min_area < 1 or not 0 <= self.margin <= 1:
            raise ValueError(
                "roi.auto.threshold must lie in (0, 1), min_area in [0, 1), margin in [0, 1]"
            )


@dataclass(frozen=True, slots=True)
class ContourSettings:
    """The outer contour of the px above `level` (of 0 ... 255) that encloses the largest area.

    Its bounding box is cut out. With `mask` everything outside of the filled contour becomes black,
    as the first place of SPR 2025 does.
    """

    level: int = 12
    mask: bool = False


@dataclass(frozen=True, slots=True)
class ComponentSettings:
    """The bounding box of the largest 8-connected part of the px above `level` (of 0 ... 255)."""

    level: int = 20


@dataclass(frozen=True, slots=True)
class OtsuSettings:
    """The fallback of the RSNA 2023 winner's box detector.

    On the image shrunk (linear, no antialias) to fit a square of `size` px: px above `percentile`
    become the minimum, a 5 x 5 Gaussian, Otsu's threshold, a 3 x 3 dilation, the largest outer
    contour. One that encloses less than `min_area` of that image counts as not found.
    """

    size: int = 416
    percentile: float = 95.0
    min_area: float = 0.04


@dataclass(frozen=True, slots=True)
class ProfileSettings:
    """Smoothed sum times smoothed standard deviation of columns, then of rows.

    From the greatest value outward, the box ends where the profile falls below a share of it:
    `columns` of the columns' greatest within their first three quarters, `rows` of the rows'
    greatest within the middle half. The box filter is `smooth` of the length long, at least 1 px.
    """

    columns: float = 0.05
    rows: float = 0.10
    smooth: float = 0.01


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The longest run of columns, then of rows, that are not constant.

    Px up to `level` (of 0 ... 255) count as 0; columns are judged on the `central` share of the
    rows, then rows on the `central` share of the columns kept.
    """

    level: int = 40
    central: float = 0.8


@dataclass(frozen=True, slots=True)
class MeanProfileSettings:
    """Rows and columns in which the share of px above the image's mean is large enough.

    The first and last 5 of either profile count as 0; it is spread over 0 ... 1 (with 1e-4 added to
    its range) and kept above `threshold`; the box is widened by `buffer` px on each side.
    """

    threshold: float = 0.1
    buffer: int = 80


@dataclass(frozen=True, slots=True)
class WindowSettings:
    """A window of fixed `size` (H, W) px placed on the breast, not scaled.

    The breast is the largest part of the px above 0 that outlives an erosion by `erode` px (city
    block distance), dilated by as much, and `margin` px more, but not toward the chest wall.
    """

    size: tuple[int, int] = (2944, 1920)
    erode: int = 100
    margin: int = 50


@dataclass(frozen=True, slots=True)
class RoiSettings:
    """How the breast is found, and which way it is turned.

    `source` is what it is found on: "display", the values that are cut out; "min-max", the stored
    values in the polarity of the header spread from their least to their greatest; "stored", those
    values as they are. `mirror` "chest-left" flips a picture whose chest wall is at the right, by
    `mirror_by`: "breast", more of the part that was found lies in the right half; "columns", the
    sum of the display values in the outer `mirror_share` of the columns is greater at the right.
    """

    method: Method = "auto"
    source: Literal["display", "min-max", "stored"] = "display"
    mirror: Literal["chest-left", "none"] = "chest-left"
    mirror_by: Literal["breast", "columns"] = "breast"
    mirror_share: float = 0.5
    auto: AutoSettings = field(default_factory=AutoSettings)
    contour: ContourSettings = field(default_factory=ContourSettings)
    component: ComponentSettings = field(default_factory=ComponentSettings)
    otsu: OtsuSettings = field(default_factory=OtsuSettings)
    profile: ProfileSettings = field(default_factory=ProfileSettings)
    run: RunSettings = field(default_factory=RunSettings)
    mean_profile: MeanProfileSettings = field(default_factory=MeanProfileSettings)
    window: WindowSettings = field(default_factory=WindowSettings)

    def __post_init__(self) -> None:
        if not 0 < self.mirror_share <= 0.5:
            raise ValueError(f"roi.mirror_share must lie in (0, 0.5], not {self.mirror_share}")
        if self.mirror != "none" and self.mirror_by == "breast" and self.method != "auto":
            raise ValueError(
                f"roi.method {self.method!r} does not tell where the breast lies; "
                "use roi.mirror_by: columns, or roi.mirror: none"
            )

    @property
    def constants(self) -> Any:
        """The settings of the chosen method, None for "none"."""
        return None if self.method == "none" else getattr(self, self.method.replace("-", "_"))

    def used(self) -> Mapping[str, Any]:
        """The values that can change a pixel."""
        used: dict[str, Any] = {"method": self.method, "mirror": self.mirror}
        by_columns = self.mirror != "none" and self.mirror_by == "columns"
        if self.mirror != "none":
            used["mirror_by"] = self.mirror_by
        if by_columns:
            used["mirror_share"] = self.mirror_share
        if self.constants is not None:
            used["constants"] = asdict(self.constants)
        if self.constants is not None or by_columns:
            used["source"] = self.source
        return used
