"""Where each px of a changed image comes from, as far as that is linear: one matrix an image.

Coordinates are (x, y) px from the center of the frame, to the right and down. A matrix (2, 3) in
float64 takes a place p to A p + t. Those here move the image; `inverted` tells where from.
"""

import numpy as np
from numpy.typing import NDArray

from trainer.augment.draws import Numbers
from trainer.augment.geometry_settings import AffineSettings, CropSettings, ElasticSettings

Matrices = NDArray[np.float64]  # (N, 2, 3)
Size = tuple[int, int]  # (H, W) px


def identity(count: int) -> Matrices:
    """Matrices that move nothing."""
    return np.repeat(np.eye(2, 3)[None], count, axis=0)


def after(second: Matrices, first: Matrices) -> Matrices:
    """The matrices of `first`, followed by `second`."""
    turned = _product(second[:, :, :2], first[:, :, :2])
    moved = _product(second[:, :, :2], first[:, :, 2:]) + second[:, :, 2:]
    return np.concatenate([turned, moved], axis=2)


def inverted(matrices: Matrices) -> Matrices:
    """The matrices that undo these."""
    (a, b, x), (c, d, y) = matrices[:, 0].T, matrices[:, 1].T
    scale = 1 / (a * d - b * c)
    a, b, c, d = d * scale, -b * scale, -c * scale, a * scale
    rows = [[a, b, -(a * x + b * y)], [c, d, -(c * x + d * y)]]
    return np.array(rows).transpose(2, 0, 1)


def flip_matrices(horizontal: NDArray[np.bool_], vertical: NDArray[np.bool_]) -> Matrices:
    """Mirrored left to right, or top to bottom, where those (N,) say so."""
    matrices = identity(len(horizontal))
    matrices[:, 0, 0] = np.where(horizontal, -1.0, 1.0)
    matrices[:, 1, 1] = np.where(vertical, -1.0, 1.0)
    return matrices


def crop_boxes(draws: Numbers, size: Size, settings: CropSettings) -> Numbers:
    """Boxes (N, 4) to cut out: x and y of the center, half of width and height; `draws` (N, 4).

    The ratio is drawn evenly on a logarithmic scale, as in Inception's random crops.
    """
    height, width = size
    low, high = settings.scale
    area = (low + draws[:, 0] * (high - low)) * height * width
    low, high = np.log(settings.ratio)
    ratio = np.exp(low + draws[:, 1] * (high - low))
    half_width = np.minimum(np.sqrt(area * ratio), width) / 2
    half_height = np.minimum(np.sqrt(area / ratio), height) / 2
    x = (2 * draws[:, 2] - 1) * (width / 2 - half_width)
    y = (2 * draws[:, 3] - 1) * (height / 2 - half_height)
    return np.stack([x, y, half_width, half_height], axis=1)


def crop_matrices(boxes: Numbers, size: Size, settings: CropSettings) -> Matrices:
    """What enlarges those boxes to the frame."""
    x, y, half_width, half_height = boxes.T
    across, down = size[1] / 2 / half_width, size[0] / 2 / half_height
    if settings.fit == "pad":
        across = down = np.minimum(across, down)
    nothing = np.zeros(len(boxes))
    rows = [[across, nothing, -across * x], [nothing, down, -down * y]]
    return np.array(rows).transpose(2, 0, 1)


def affine_matrices(draws: Numbers, size: Size, settings: AffineSettings) -> Matrices:
    """Shear, scale, rotation about the center and shift; `draws` (N, 6)."""
    sides = 2 * draws - 1
    angle = np.radians(settings.rotate) * sides[:, 0]
    down, across = (
        share * edge * sides[:, 1 + axis]
        for axis, (share, edge) in enumerate(zip(settings.shift, size, strict=True))
    )
    low, high = settings.scale
    scale = low + draws[:, 3] * (high - low)
    lean, climb = (
        np.tan(np.radians(angle) * sides[:, 4 + axis]) for axis, angle in enumerate(settings.shear)
    )
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    rows = [
        [cosine - sine * climb, cosine * lean - sine, across],
        [sine + cosine * climb, sine * lean + cosine, down],
    ]
    return np.array(rows).transpose(2, 0, 1)


def corner_matrices(draws: Numbers, size: Size, settings: ElasticSettings) -> Matrices:
    """What takes three corners of a square in the middle to random places near; `draws` (N, 6).

    The square is two thirds of the shorter edge wide, as in albumentations' elastic transform.
    """
    side = max(min(size) // 3, 1)
    moves = settings.affine * (2 * draws.reshape(-1, 3, 2) - 1)
    first, second, third = moves.transpose(1, 0, 2)  # of (s, s), (s, -s) and (-s, -s)
    by_x, by_y = (second - third) / (2 * side), (first - second) / (2 * side)
    matrices: Matrices = np.stack([by_x, by_y, (first + third) / 2], axis=2)
    return matrices + identity(len(draws))


def _product(left: Numbers, right: Numbers) -> Numbers:
    """(N, 2, 2) times (N, 2, k), written out: the same bits on any machine."""
    return left[:, :, :1] * right[:, :1] + left[:, :, 1:] * right[:, 1:]
