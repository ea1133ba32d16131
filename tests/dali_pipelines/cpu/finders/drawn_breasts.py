"""Half ellipses with noise, which is what the published finders are compared on."""

import numpy as np


def drawn_breast(
    shape: tuple[int, int], seed: int, *, right: bool = False, background: int = 1
) -> np.ndarray:
    """A breast at the left edge, or the right one, of noise below `background`; (H, W) uint16."""
    rng = np.random.default_rng(seed)
    height, width = shape
    middle, half, reach = rng.uniform(0.4, 0.6), rng.uniform(0.2, 0.35), rng.uniform(0.3, 0.8)
    rows, columns = np.mgrid[:height, :width]
    distance = ((rows / height - middle) / half) ** 2 + (columns / width / reach) ** 2
    tissue = 60000 * np.clip(1.3 - distance, 0.2, 1) * rng.uniform(0.7, 1, shape)
    image = np.where(distance < 1, tissue, rng.integers(0, background, shape)).astype(np.uint16)
    return np.ascontiguousarray(image[:, ::-1]) if right else image
