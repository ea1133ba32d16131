"""A preview shows what a run makes of an image, and costs one reject where it makes nothing."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dali_pipelines.decoder
import dali_pipelines.inspection.previewer
from dali_pipelines.inspection.display_values import display_values
from dali_pipelines.inspection.previewer import preview_images
from dali_pipelines.loader import Loader
from dali_pipelines.manifest import read_manifest
from dali_pipelines.manifest_rows import to_records
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.plan import sequential_blocks
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.verdicts import Reason, Reject
from dali_pipelines.voi_settings import Voi
from tests.pool_without_children import PoolWithoutChildren

RECIPE = Recipe("small", resize=ResizeSettings(size=(640, 300)))


@pytest.fixture(autouse=True)
def no_children(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (dali_pipelines.decoder, dali_pipelines.inspection.previewer):
        monkeypatch.setattr(module, "DecodePool", PoolWithoutChildren)


@pytest.fixture
def records(phantom_manifest: Path) -> list[ImageRecord]:
    return to_records(read_manifest(phantom_manifest))[:3]


def test_the_right_half_is_what_a_loader_gives(records: list[ImageRecord]) -> None:
    with Loader(records, RECIPE, device="cpu") as loader:
        (batch,) = loader.run(sequential_blocks(3, 3))
    for k, (record, png) in enumerate(preview_images(records, RECIPE)):
        assert record is records[k]
        assert isinstance(png, bytes)
        page = np.asarray(Image.open(io.BytesIO(png)))
        left = 24 + round(104 * 640 / 128) + 24
        wanted = np.rint(display_values(batch.images[k].numpy(), RECIPE).clip(0, 1) * 255)
        assert np.array_equal(page[86 : 86 + 640, left : left + 300, 0], wanted)


def test_what_gives_no_image_is_a_reject_and_the_others_are_drawn(
    records: list[ImageRecord],
) -> None:
    gone = replace(records[1], location=replace(records[1].location, path="/no/such/file"))
    results = [png for _, png in preview_images([records[0], gone, records[2]], RECIPE)]
    assert [type(result) for result in results] == [bytes, Reject, bytes]
    assert results[1].reason is Reason.IO


def test_an_image_that_the_recipe_refuses_has_no_preview(records: list[ImageRecord]) -> None:
    strict = replace(RECIPE, voi=Voi(use="lut", fallback="reject"))
    ((_, reject),) = preview_images(records[:1], strict)
    assert isinstance(reject, Reject)
    assert (reject.stage, reject.reason) == ("prepare", Reason.VOI)
