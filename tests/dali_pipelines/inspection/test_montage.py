"""Contact sheets: what is drawn of an image is what a loader makes of it, pair by pair."""

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import dali_pipelines.decoder
import dali_pipelines.inspection.boxed_images
from dali_pipelines.inspection.box_quality import box_quality
from dali_pipelines.inspection.boxed_images import BoxedImage, boxed_images
from dali_pipelines.inspection.montage import draw_cell, draw_sheet
from dali_pipelines.loader import Loader
from dali_pipelines.manifest import read_manifest
from dali_pipelines.manifest_rows import to_records
from dali_pipelines.pixel_settings import DecodeSettings, ResizeSettings
from dali_pipelines.plan import sequential_blocks
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import GivenBox, ImageRecord
from dali_pipelines.stages import Roi
from dali_pipelines.verdicts import Reason, Reject
from tests.pool_without_children import PoolWithoutChildren

RECIPE = Recipe("small", resize=ResizeSettings(size=(64, 40)))
ORANGE = (255, 155, 47)


@pytest.fixture(autouse=True)
def no_children(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (dali_pipelines.decoder, dali_pipelines.inspection.boxed_images):
        monkeypatch.setattr(module, "DecodePool", PoolWithoutChildren)


@pytest.fixture
def records(phantom_manifest: Path) -> list[ImageRecord]:
    return to_records(read_manifest(phantom_manifest))[:4]


def looked_at(
    records: list[ImageRecord], recipe: Recipe = RECIPE, workers: int = 2
) -> Iterator[BoxedImage | Reject]:
    return boxed_images(records, recipe, lambda boxed: boxed, workers)


@pytest.mark.parametrize("decode", [DecodeSettings(), DecodeSettings(1, cut=3)])
def test_box_and_output_are_those_of_a_loader(
    records: list[ImageRecord], decode: DecodeSettings
) -> None:
    recipe = replace(RECIPE, decode=decode)
    with Loader(records, recipe, device="cpu") as loader:
        (batch,) = loader.run(sequential_blocks(4, 4))
    for k, boxed in enumerate(looked_at(records, recipe)):
        assert isinstance(boxed, BoxedImage)
        assert boxed.record is records[k]
        assert boxed.box == batch.rois[k]
        assert np.array_equal(boxed.image, batch.images[k])
        assert boxed.display.shape == (128, 104)
        assert boxed.quality == box_quality(boxed.display, boxed.box) > 0.7


def test_a_box_by_hand_is_judged_as_it_is(records: list[ImageRecord]) -> None:
    given = replace(records[0], box=GivenBox(0, 20, 80, 104))  # a corner without breast
    boxed, other = looked_at([given, records[0]])
    assert isinstance(boxed, BoxedImage)
    assert isinstance(other, BoxedImage)
    assert boxed.quality < 0.3 < other.quality


def test_what_gives_no_image_is_a_reject_in_its_place(records: list[ImageRecord]) -> None:
    gone = replace(records[1], location=replace(records[1].location, path="/no/such/file"))
    found = list(looked_at([records[0], gone, records[2]], workers=1))
    assert [type(one) for one in found] == [BoxedImage, Reject, BoxedImage]
    assert isinstance(found[1], Reject)
    assert (found[1].reason, found[1].stage) == (Reason.IO, "montage")
    assert found[1].image_id == gone.image_id


def test_a_cell_is_the_picture_with_its_box_beside_the_output(record_of) -> None:  # type: ignore[no-untyped-def]
    display = np.zeros((640, 400), np.uint16)
    display[:, :200] = 65535
    image = np.zeros((1, 64, 40), np.float32)  # gray: (0 * 0.5 + 0.5)
    found = GivenBox(40, 640, 0, 200)
    boxed = BoxedImage(record_of(), display, _roi(found), image, 0.5)
    cell = draw_cell(boxed, RECIPE)
    head, cell = cell[:18], cell[18:]
    assert (head[:, :100] > 0x80).any()  # words above each picture
    assert (head[:, 212:] > 0x80).any()
    assert cell[160, 50].tolist() == [255] * 3
    assert cell[160, 150].tolist() == [0] * 3
    edges = np.argwhere((cell == ORANGE).all(axis=2))
    assert edges.min(axis=0).tolist() == [20, 0]  # 40 / 2 rows of 320
    assert edges.max(axis=0).tolist() == [319, 99]
    assert cell[160, 200 + 12 + 100].tolist() == [128] * 3
    assert cell[160, 205].tolist() == [0x1C] * 3
    assert (cell[320:] > 0xC0).any()


def _roi(box: GivenBox) -> Roi:
    return Roi(0, 1, 0, 1).given(box)


def test_words_differ_with_the_verdict_and_the_note(record_of) -> None:  # type: ignore[no-untyped-def]
    display = np.zeros((640, 400), np.uint16)
    image = np.zeros((1, 64, 40), np.float32)
    plain = BoxedImage(record_of(), display, _roi(GivenBox(0, 640, 0, 400)), image, 0.5)
    variants = [
        draw_cell(plain, RECIPE),
        draw_cell(plain, RECIPE, "positive"),
        draw_cell(plain, RECIPE, "a line that is much longer than the cell is wide " * 9),
        draw_cell(replace(plain, quality=0.25), RECIPE),
        draw_cell(replace(plain, box=replace(plain.box, found=False)), RECIPE),
        draw_cell(replace(plain, box=replace(plain.box, mirror=True)), RECIPE),
        draw_cell(replace(plain, record=record_of(image_id="1" * 32)), RECIPE),
        draw_cell(replace(plain, record=record_of(laterality="L")), RECIPE),
        draw_cell(replace(plain, record=record_of(view="MLO")), RECIPE),
    ]
    assert len({cell.tobytes() for cell in variants}) == len(variants)
    assert len({cell.shape for cell in variants}) == 1
    assert len({cell[:338].tobytes() for cell in variants}) == 1


def test_a_sheet_has_four_cells_in_a_row() -> None:
    cells = [np.full((100, 60 + k, 3), 40 * k, np.uint8) for k in range(6)]
    page = np.asarray(Image.open(io.BytesIO(draw_sheet(cells, "a title"))))
    assert page.shape == (44 + 2 * 112 + 12, 4 * 65 + 3 * 44 + 24, 3)
    for k in range(6):
        row, column = divmod(k, 4)
        assert (page[44 + row * 112 : 144 + row * 112, 12 + column * 109, 0] == 40 * k).all()
    assert draw_sheet(cells, "a title") == draw_sheet(cells, "a title")
    small = np.asarray(Image.open(io.BytesIO(draw_sheet(cells[:2], ""))))
    assert small.shape == (44 + 112 + 12, 2 * 61 + 44 + 24, 3)


def test_a_title_stands_above_the_cells_and_has_room() -> None:
    cells = [np.full((100, 60, 3), 90, np.uint8)]
    plain, titled, other = (
        np.asarray(Image.open(io.BytesIO(draw_sheet(cells, title))))
        for title in ("", "sheet 1 of 2", "sheet 2 of 2")
    )
    assert titled.shape[1] > plain.shape[1] == 60 + 24
    assert np.array_equal(titled[44:, : plain.shape[1]], plain[44:])
    assert (titled[:44] != 0x1C).any()
    assert not np.array_equal(titled[:44], other[:44])
