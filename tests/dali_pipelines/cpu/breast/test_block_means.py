"""Block means against hand-worked ones and plain loops."""

import numpy as np
import pytest

from dali_pipelines.cpu.breast.block_means import block_means


def test_means_are_rounded_down() -> None:
    image = np.array([[1, 2, 9, 9], [3, 1, 9, 8]], np.uint16)
    assert block_means(image, 2).tolist() == [[1, 8]]  # 7 / 4 and 35 / 4


def test_blocks_at_the_edges_are_means_of_the_px_they_have() -> None:
    image = np.array([[1, 3, 7], [5, 7, 10], [10, 20, 65535]], np.uint16)
    assert block_means(image, 2).tolist() == [[4, 8], [15, 65535]]


@pytest.mark.parametrize("edge", [1, 2, 3, 7, 256])
def test_any_edge(edge: int) -> None:
    image = np.random.default_rng(edge).integers(0, 65536, (300, 257)).astype(np.uint16)
    wanted = [
        [int(image[y : y + edge, x : x + edge].astype(int).mean()) for x in range(0, 257, edge)]
        for y in range(0, 300, edge)
    ]
    assert block_means(image, edge).tolist() == wanted


def test_the_largest_block_of_the_largest_values() -> None:
    image = np.full((256, 256), 65535, np.uint16)
    assert block_means(image, 256).tolist() == [[65535]]
