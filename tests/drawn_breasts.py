"""Breasts drawn as half ellipses, with what may surround them, for tests of box finders."""

import numpy as np
from hypothesis import strategies as st


def half_ellipse(shape: tuple[int, int], box: tuple[int, int, int], level: int) -> np.ndarray:
    """A breast against the left edge: rows box[0] ... box[1], as wide as box[2]."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    middle, half = (box[0] + box[1]) / 2, (box[1] - box[0]) / 2
    inside = ((rows - middle) / half) ** 2 + (columns / box[2]) ** 2 <= 1
    return np.where(inside, level, 0).astype(np.uint16)


@st.composite
def pictures(draw: st.DrawFn, longest: int = 130) -> np.ndarray:
    """Any breast or none, with noise, a frame, a label, a line, padding, mirrored, in negative."""
    height, width = (draw(st.integers(1, longest)) for _ in range(2))
    random = np.random.default_rng(draw(st.integers(0, 999)))
    level = draw(st.sampled_from([9000, 30000, 60000]))
    top, bottom, depth = random.uniform(0, 0.4), random.uniform(0.6, 1.1), random.uniform(0.2, 1.1)
    edges = (int(top * height), int(bottom * height) + 1, int(depth * width) + 1)
    image = half_ellipse((height, width), edges, level).astype(np.float64)
    image += draw(st.sampled_from([0, 3000]))
    image *= 1 + draw(st.sampled_from([0, 0.1, 0.5])) * random.standard_normal(image.shape)
    if draw(st.booleans()):
        row, column = int(random.integers(height)), int(random.integers(width))
        image[row : row + height // 9 + 1, column : column + width // 5 + 1] = 65535
    for side in draw(st.sets(st.integers(0, 3))):
        depth_px = int(random.integers(0, 9))
        np.rot90(image, side)[:depth_px] = random.choice([2000, 50000, 65535])
    image = image[:, ::-1] if draw(st.booleans()) else image
    values = np.clip(image, 0, 65535).astype(np.uint16)
    return np.ascontiguousarray(65535 - values if draw(st.booleans()) else values)
