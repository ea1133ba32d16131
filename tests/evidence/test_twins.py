"""The GPU's steps on every recipe and every real mammogram, run on this CPU: the CPU's results."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dali_pipelines.cpu.decode import decode
from dali_pipelines.dicom.image import ReadOptions, read_image
from dali_pipelines.gpu.device import use_device
from dali_pipelines.pixel_settings import StretchSettings
from dali_pipelines.reader import read_encoded
from dali_pipelines.recipe import Recipe, load_recipe, recipe_names
from dali_pipelines.shading import ImageShading, image_shading
from dali_pipelines.stages import Pixels
from dali_pipelines.steps import load_steps
from dali_pipelines.storage.archive import Source
from tests.dali_pipelines.gpu.host_device import HostDevice, compiler

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(compiler() is None, reason="kernels cannot run on this CPU without g++"),
]

FILES = ("GH133", "OutOfBoundsOverlay", "MG1_J2KI", "MG1_JPLY", "MG_Explicit_Little")
SMALL = "OutOfBoundsOverlay"  # 1 megapixel
STRETCHES = {
    "minmax": StretchSettings("percentiles"),
    "percentiles": StretchSettings("percentiles", 1, 99),
}


def recipe_of(name: str) -> Recipe:
    if name in STRETCHES:
        return replace(load_recipe("default-1536"), name=name, stretch=STRETCHES[name])
    return load_recipe(name)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("name", [*recipe_names(), *STRETCHES])
def test_the_twins_agree_on_real_mammograms(
    name: str, file: str, shared_data: Path, full: bool
) -> None:
    if not full and file != SMALL:
        pytest.skip("a part of the whole evidence")
    path = shared_data / "mammograms" / f"{file}.dcm"
    record = read_image(Source(str(path)), bytes(32), ReadOptions())
    pixels = decode(read_encoded(record))
    assert_twins_agree(recipe_of(name), pixels, image_shading(record, recipe_of(name)))


@pytest.mark.parametrize("name", [*recipe_names(), *STRETCHES])
def test_the_twins_agree_on_phantoms(name: str, phantom_manifest: Path, full: bool) -> None:
    from dali_pipelines.manifest import read_manifest
    from dali_pipelines.manifest_rows import to_records

    records = to_records(read_manifest(phantom_manifest))
    for record in records if full else records[:2]:
        pixels = decode(read_encoded(record))
        shading = image_shading(record, recipe_of(name))
        assert_twins_agree(recipe_of(name), pixels, shading)


def assert_twins_agree(recipe: Recipe, pixels: Pixels, shading: ImageShading) -> None:
    """Display values and boxes equal, and the network's input too: to the bit in float32."""
    cpu, gpu = load_steps("cpu"), load_steps("gpu")
    wanted = np.empty((1, recipe.channels, *recipe.size), np.float32)
    (display,), (box,) = cpu.find([pixels], [shading], recipe)
    cpu.resize(cpu.mask([display], [box]), [box], recipe.resize, wanted)
    with use_device(HostDevice()):
        found = torch.empty(wanted.shape, dtype=getattr(torch, recipe.resize.dtype))
        on_gpu, boxes = gpu.find([pixels], [shading], recipe)
        gpu.resize(gpu.mask(on_gpu, boxes), boxes, recipe.resize, found)
        assert np.array_equal(on_gpu[0].numpy(), display)
        assert boxes[0] == box
    assert torch.equal(found, torch.from_numpy(wanted).to(found.dtype))
