"""What a recipe says of the ROI: the method that finds the breast, with that method's constants.

Published methods work on 8-bit images. Their levels are compared with the upper 8 bits of a display
value, `value // 257`, which is what a cast of the same image to uint8 gives.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal

from dali_pipelines.thumbnail_settings import DetectorSettings, OtsuSettings

LEVEL_STEP: Final = 257  # display values in one of 256 levels

Method = Literal[
    "auto", "contour", "component", "otsu", "profile", "run", "mean-profile", "window",
    "detector", "none"
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class AutoSettings:
    """Our own method (`cpu/finders/auto.py`).

    A breast stands out from the background by at least `threshold`, a share of the display range;
    by how much more is read off its outline. `margin` widens the box on each side by that share of
    its size. A box below `min_area` (share of the frame) counts as not found, and the full frame is
    kept.
    """

    threshold: float = 0.0125
    margin: float = 0.01
    min_area: float = 0.04

    def __post_init__(self) -> None:
        if not 0 < self.threshold < 0.25:
            raise ValueError(f"roi.auto.threshold must lie in (0, 0.25), not {self.threshold}")
        if not 0 <= self.min_area < 1 or not 0 <= self.margin <= 1:
            raise ValueError("roi.auto.min_area must lie in [0, 1), roi.auto.margin in [0, 1]")


def _check_level(section: str, level: int) -> None:
    if not 0 <= level < 255:
        raise ValueError(f"roi.{section}.level must lie in 0 ... 254, not {level}")


@dataclass(frozen=True, slots=True)
class ContourSettings:
    """The outer contour of the px above `level` (of 0 ... 255) that encloses the largest area.

    Its bounding box is cut out. With `mask` everything outside of the filled contour becomes black,
    as the first place of SPR 2025 does. `drop_last` leaves out the box's last row and last column
    where it has more than one, as code does that slices up to the greatest px of a contour.
    """

    level: int = 12
    mask: bool = False
    drop_last: bool = False

    def __post_init__(self) -> None:
        _check_level("contour", self.level)


@dataclass(frozen=True, slots=True)
class ComponentSettings:
    """The bounding box of the largest 8-connected part of the px above `level` (of 0 ... 255)."""

    level: int = 20

    def __post_init__(self) -> None:
        _check_level("component", self.level)


@dataclass(frozen=True, slots=True)
class ProfileSettings:
    """Smoothed sum times smoothed standard deviation of columns, then of rows.

    From the greatest value within the first three quarters of the columns on, the box ends before
    the first column below `columns` of the greatest of all, or before the last column where there
    is none. Of the columns kept, from the greatest value within the middle half of the rows, it
    begins with the first row above that and ends before the first row from it on below `rows` of
    the greatest of all, or at the frame. Columns count from the chest wall where the picture is to
    be mirrored by columns. The box filter is `smooth` of the length long, at least 1 px.
    """

    columns: float = 0.05
    rows: float = 0.10
    smooth: float = 0.01

    def __post_init__(self) -> None:
        if not 0 < self.columns < 1 or not 0 < self.rows < 1 or not 0 <= self.smooth <= 1:
            raise ValueError("roi.profile.columns and rows must lie in (0, 1), smooth in [0, 1]")


@dataclass(frozen=True, slots=True)
class RunSettings:
    """The longest run of columns, then of rows, that are not constant.

    Px up to `level` (of 0 ... 255) count as 0; columns are judged on the `central` share of the
    rows, then rows on the `central` share of the columns kept. As published, a run counts one less
    for each edge of the frame that it touches, and where no line varies, all are kept. Of equal
    runs the first is kept.
    """

    level: int = 40
    central: float = 0.8

    def __post_init__(self) -> None:
        if not 0 <= self.level <= 255 or not 0 < self.central <= 1:
            raise ValueError("roi.run.level must lie in 0 ... 255, central in (0, 1]")

    def central_part(self, count: int) -> tuple[int, int]:
        """The first of `count` lines that are looked at and the first one after; at least one."""
        half = int(count * (self.central / 2))
        return (count // 2 - half, count // 2 + half) if half else (0, count)


@dataclass(frozen=True, slots=True)
class MeanProfileSettings:
    """Rows and columns in which the share of px above the image's mean is large enough.

    The first and last 5 of either profile count as 0; it is spread over 0 ... 1, as
    (share - least + 1e-4) / (greatest - least + 1e-4), and kept above `threshold`, all of it where
    nothing is above. The box runs from `buffer` px before the first line kept to `buffer` px after
    the beginning of the last one.
    """

    threshold: float = 0.1
    buffer: int = 80

    def __post_init__(self) -> None:
        if not 0 <= self.threshold < 1 or not 1 <= self.buffer <= 10_000:
            raise ValueError(
                "roi.mean_profile.threshold must lie in [0, 1), buffer in 1 ... 10000 px"
            )


@dataclass(frozen=True, slots=True)
class WindowSettings:
    """A window of fixed `size` (H, W) px placed on the breast, not scaled.

    The breast is the largest part (8-connected) of the px above 0 that outlives an erosion by
    `erode` px (city block distance), dilated by as much, and the box around it `margin` px wider,
    but not toward the chest wall, which is at the side whose outer columns hold more. A box that is
    larger than the window is cut: to the columns with the most px above 0, then to the rows with
    the most of those; of equal ones, to those nearest the chest wall and to the upper ones.
    """

    size: tuple[int, int] = (2944, 1920)
    erode: int = 100
    margin: int = 50

    def __post_init__(self) -> None:
        if min(self.size) < 1 or not 0 <= self.erode <= 1000 or not 0 <= self.margin <= 10_000:
            raise ValueError(
                "roi.window.size must be 1 px or more, erode lie in 0 ... 1000 px, margin in "
                "0 ... 10000 px"
            )


@dataclass(frozen=True, slots=True)
class RoiSettings:
    """How the breast is found, and which way it is turned.

    `source` is what it is found on: "display", the values that are cut out; "min-max", the stored
    values in the polarity of the header spread from their least to their greatest; "stored", those
    values as they are. `mirror` "chest-left" flips a picture whose chest wall is at the right, by
    `mirror_by`: "breast", more of the part that was found lies in the right half; "columns", the
    sum of the display values in the outer `mirror_share` of the columns is greater at the right.
    "chest-right" flips one whose chest wall is at the left, where that sum is greater at the left.
    """

    method: Method = "auto"
    source: Literal["display", "min-max", "stored"] = "display"
    mirror: Literal["chest-left", "chest-right", "none"] = "chest-left"
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
    detector: DetectorSettings = field(default_factory=DetectorSettings)

    def __post_init__(self) -> None:
        if not 0 < self.mirror_share <= 0.5:
            raise ValueError(f"roi.mirror_share must lie in (0, 0.5], not {self.mirror_share}")
        if self.mirror != "none" and self.mirror_by == "breast" and self.method != "auto":
            raise ValueError(
                f"roi.method {self.method!r} does not tell where the breast lies; "
                "use roi.mirror_by: columns, or roi.mirror: none"
            )
        told = self.mirrors_by_columns and not self.searches_mirrored
        if self.mirror == "chest-right" and not told:
            raise ValueError(
                "roi.mirror 'chest-right' goes with roi.mirror_by: columns, and not with "
                "roi.method 'profile' or 'window', which look from the left"
            )

        if self.method == "detector":
            self.detector.require_digest()

    @property
    def constants(self) -> Any:
        """The settings of the chosen method, None for "none"."""
        return None if self.method == "none" else getattr(self, self.method.replace("-", "_"))

    @property
    def module(self) -> str:
        """The module of `finders` that is the chosen method."""
        # A module `profile` would be Python's own when run from its folder.
        return "profiles" if self.method == "profile" else self.method.replace("-", "_")

    @property
    def mirrors_by_columns(self) -> bool:
        """Whether the outer columns decide which pictures are flipped."""
        return self.mirror != "none" and self.mirror_by == "columns"

    @property
    def lean_sign(self) -> int:
        """1 where a picture that leans to the right is flipped, -1 where one to the left is."""
        return -1 if self.mirror == "chest-right" else 1

    @property
    def searches_mirrored(self) -> bool:
        """Whether the finder itself has to know at which side the chest wall is."""
        return self.method in {"profile", "window"}

    def outer_columns(self, width: int) -> int:
        """How many columns at each side decide for an image of that width; at least 1."""
        return max(1, int(width * self.mirror_share))

    def used(self) -> Mapping[str, Any]:
        """The values that can change a pixel."""
        used: dict[str, Any] = {"method": self.method, "mirror": self.mirror}
        by_columns = self.mirrors_by_columns
        if self.mirror != "none":
            used["mirror_by"] = self.mirror_by
        if by_columns or self.method == "window":
            used["mirror_share"] = self.mirror_share
        if self.method == "detector":
            used["constants"] = {**self.detector.used(), "otsu": asdict(self.otsu)}
        elif self.constants is not None:
            used["constants"] = asdict(self.constants)
        if self.constants is not None or by_columns:
            used["source"] = self.source
        return used
