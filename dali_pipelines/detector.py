"""A network in an ONNX file that finds the breast on a thumbnail, run on the CPU by onnxruntime.

The layout is that of YOLOX (Z. Ge et al., arXiv:2107.08430) for one class, as the detector of the
RSNA 2023 winner has it (github.com/dangnh0611/kaggle_rsna_breast_cancer): the thumbnail's levels
0 ... 255, not scaled, at the upper left of a square of gray 114, in three equal channels. Of each
cell of a grid of 8, then 16, then 32 px the output has a row (x, y, w, h, object, class): a center
(x + column) * stride, (y + row) * stride, sides exp(w) * stride, exp(h) * stride, and two scores
whose product is that of the box.

Sums of floats are not ordered alike on all CPUs, so a box may differ by 1 px between machines.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.errors import ConfigError, DeviceError
from dali_pipelines.records import GivenBox
from dali_pipelines.thumbnail import Thumbnail, thumbnail
from dali_pipelines.thumbnail_settings import DetectorSettings, OtsuSettings

_PADDING: Final = 114
_STRIDES: Final = (8, 16, 32)
_VALUES: Final = 6  # of a row


def detector_thumbnail(shape: tuple[int, ...], settings: DetectorSettings) -> Thumbnail:
    """What an image of `shape` (H, W) is shrunk to for the network."""
    return thumbnail(shape, OtsuSettings(size=settings.size))


def detect(
    levels: NDArray[Any], scale: float, shape: tuple[int, ...], settings: DetectorSettings
) -> GivenBox | None:
    """The box of the best score in px of the image of `shape` (H, W), None where none counts.

    `levels` (h, w) 0 ... 255 are of its thumbnail, of which `scale` px are one of the image. Of
    boxes of one score the first counts. Nothing is suppressed for its overlap with a better one:
    the best is never.
    """
    rows = _run(levels, settings)
    with np.errstate(over="ignore", invalid="ignore"):  # whatever a network may give
        scores = rows[:, 4] * rows[:, 5]
        best = int(scores.argmax())
        if not scores[best] >= settings.score:
            return None
        bounds = _bounds(rows[best].astype(np.float64), best, settings.size) / scale
    if np.isnan(bounds).any():
        return None
    left, top, right, bottom = (
        int(min(max(bound, 0), edge))
        for bound, edge in zip(bounds.tolist(), (*shape[::-1], *shape[::-1]), strict=True)
    )
    area = max(bottom - top, 0) * max(right - left, 0)
    if area < max(1, settings.min_area * shape[0] * shape[1]):
        return None
    return GivenBox(top, bottom, left, right)


def load_detector(settings: DetectorSettings) -> None:
    """Have the network ready. DeviceError without onnxruntime, ConfigError without that model."""
    _session(settings.path, settings.sha256)


def _bounds(row: NDArray[np.float64], index: int, size: int) -> NDArray[np.float64]:
    """(left, top, right, bottom) in px of the thumbnail of the box in row `index`."""
    stride, column, line = _cells(size)[index]
    center = (row[:2] + np.array([column, line])) * stride
    half = np.exp(row[2:4]) * stride / 2
    return np.concatenate([center - half, center + half])


@lru_cache(maxsize=4)
def _cells(size: int) -> Sequence[tuple[int, int, int]]:
    """(stride, column, row) of the cell of each row of the output."""
    return [
        (stride, column, line)
        for stride in _STRIDES
        for line in range(size // stride)
        for column in range(size // stride)
    ]


def _run(levels: NDArray[Any], settings: DetectorSettings) -> NDArray[np.float32]:
    """The rows (n, 6) of the output for one thumbnail."""
    session = _session(settings.path, settings.sha256)
    square = np.full((1, 3, settings.size, settings.size), _PADDING, np.float32)
    square[0, :, : levels.shape[0], : levels.shape[1]] = levels
    wanted = (len(_cells(settings.size)), _VALUES)
    try:
        found = np.asarray(session.run(None, {session.get_inputs()[0].name: square})[0])
    except Exception as error:  # onnxruntime's own have no common class
        raise ConfigError(
            f"the model of roi.detector does not take images (1, 3, {settings.size}, "
            f"{settings.size}) float32 ({type(error).__name__}); export it so, or set its size"
        ) from error
    if found.shape != (1, *wanted):
        raise ConfigError(
            f"the model of roi.detector gives values {found.shape}, wanted {(1, *wanted)}; export "
            "it without decoding boxes, or set its size"
        )
    rows: NDArray[np.float32] = found[0]
    return rows


@lru_cache(maxsize=2)
def _session(path: str, sha256: str) -> Any:
    """The network of that file, for any number of threads."""
    try:
        import onnxruntime  # noqa: PLC0415 - there only with the export extra
    except ImportError as error:
        raise DeviceError(
            "roi.method 'detector' needs onnxruntime, which is not installed; install the package "
            "with its export extra, or choose another method"
        ) from error
    try:
        model = Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(
            f"roi.detector.path {path!r} cannot be read ({error.strerror}); give the ONNX file"
        ) from error
    if hashlib.sha256(model).hexdigest() != sha256:
        raise ConfigError(
            f"roi.detector.path {path!r} is another model than roi.detector.sha256 names; give "
            "the file that the recipe was made with, or its digest for a new recipe"
        )
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # images are what runs at once
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime's own have no common class
        raise ConfigError(
            f"roi.detector.path {path!r} holds no model that onnxruntime can run "
            f"({type(error).__name__}); export it again"
        ) from error
