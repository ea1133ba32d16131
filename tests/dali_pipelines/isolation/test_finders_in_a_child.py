"""A decoder process may look for the breast by any method, within the memory that an image gets."""

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import numpy as np

from dali_pipelines.cpu.reduced_decode import decode_reduced
from dali_pipelines.isolation.isolated_decoder import IsolatedDecoder
from dali_pipelines.pixel_settings import DecodeSettings, ResizeSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.roi_settings import Method, RoiSettings
from tests.tiny_detector import write_detector


def test_one_child_finds_by_every_method(encoded_of: Callable) -> None:
    methods = [method for method in get_args(Method) if method != "detector"]
    _compare(
        encoded_of, [RoiSettings(method, "min-max", mirror_by="columns") for method in methods]
    )


def test_a_child_finds_by_a_network(encoded_of: Callable, tmp_path: Path) -> None:
    model = write_detector(tmp_path, {73: (0.5, 0.25, 1.0, 1.0, 1.0, 1.0)})
    _compare(encoded_of, [RoiSettings("detector", mirror="none", detector=model)])


def test_a_new_child_finds_a_contour_on_a_large_image(encoded_of: Callable) -> None:
    """Neither the method's libraries nor its search leave too little to decode all of the image."""
    values = np.zeros((4000, 3000), np.uint16)
    values[600:3400, :2000] = 2000
    recipe = Recipe(
        "large",
        decode=DecodeSettings("auto"),
        roi=RoiSettings("contour", mirror="none"),
        resize=ResizeSettings((2048, 1024)),
    )
    decoder = IsolatedDecoder(timeout_s=60)
    try:
        assert np.array_equal(decoder.decode(encoded_of(values, "j2k", 12), recipe).values, values)
    finally:
        decoder.close()


def _compare(encoded_of: Callable, ways: list[RoiSettings]) -> None:
    """A look that a child decodes the same as this process, after it has found the same box."""
    rows, columns = np.mgrid[:160, :130]
    breast = ((rows - 80) / 60) ** 2 + (columns / 90) ** 2 < 1
    encoded = encoded_of(np.where(breast, 2000, 20).astype(np.uint16), "j2k", 12)
    decoder = IsolatedDecoder(timeout_s=60)
    try:
        for way in ways:
            recipe = Recipe(
                way.method,
                decode=DecodeSettings("auto"),
                roi=way,
                resize=ResizeSettings((70, 40)),
            )
            found = decoder.decode(encoded, recipe)
            wanted = decode_reduced(encoded, recipe)
            assert found.reduce == wanted.reduce
            assert np.array_equal(found.values, wanted.values)
    finally:
        decoder.close()
