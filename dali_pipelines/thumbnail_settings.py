"""Constants of the methods that find the breast on a thumbnail of the image."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

_SHA256: Final = re.compile("[0-9a-f]{64}")


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

    def __post_init__(self) -> None:
        if not 8 <= self.size <= 2048:
            raise ValueError(f"roi.otsu.size must lie in 8 ... 2048 px, not {self.size}")
        if not 0 <= self.percentile <= 100 or not 0 <= self.min_area < 1:
            raise ValueError("roi.otsu.percentile must lie in 0 ... 100, min_area in [0, 1)")


@dataclass(frozen=True, slots=True)
class DetectorSettings:
    """A network that finds the breast, in the ONNX file `path` whose SHA-256 is `sha256`.

    One input (1, 3, size, size) float32, one output (1, n, 6), as YOLOX gives it for one class
    (`detector.py`). The best box counts where its score is `score` or more and its area
    `min_area` of the frame; where none does, the method "otsu" finds the breast.
    """

    path: str = "boxes.onnx"
    sha256: str = ""
    size: int = 416
    score: float = 0.5
    min_area: float = 0.04

    def __post_init__(self) -> None:
        if not 32 <= self.size <= 2048 or self.size % 32:
            raise ValueError(
                f"roi.detector.size must be a multiple of 32 in 32 ... 2048 px, not {self.size}"
            )
        if not 0 < self.score <= 1 or not 0 <= self.min_area < 1:
            raise ValueError("roi.detector.score must lie in (0, 1], min_area in [0, 1)")

    def require_digest(self) -> None:
        """Raise ValueError where the settings do not say which model it is."""
        if not _SHA256.fullmatch(self.sha256):
            raise ValueError(
                "roi.detector.sha256 must be that of the model file, 64 digits as `sha256sum` "
                "prints them, so that the recipe's hash stands for the model"
            )

    def used(self) -> Mapping[str, Any]:
        """The values that can change a box: the bytes of the file, wherever it lies."""
        return {name: value for name, value in asdict(self).items() if name != "path"}
