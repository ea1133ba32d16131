"""Boxes by hand: what a table may hold, what of it counts, and that each image gets its box."""

import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import dali_pipelines.decoder
from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.isolation.messages import Request, read_request, write_request
from dali_pipelines.loader import Loader
from dali_pipelines.manifest import read_manifest
from dali_pipelines.manifest_rows import to_frame, to_records
from dali_pipelines.pixel_settings import DecodeSettings, ResizeSettings
from dali_pipelines.plan import sequential_blocks
from dali_pipelines.recipe import Recipe, recipe_from_dict
from dali_pipelines.records import GivenBox, ImageRecord
from dali_pipelines.review import (
    Review,
    read_review,
    reviewed,
    reviewed_recipe,
    write_boxes,
)
from dali_pipelines.stages import Batch, Roi
from tests.pool_without_children import PoolWithoutChildren

HEADER = "image_id,top,bottom,left,right,mirror\n"
RECIPE = Recipe("small", resize=ResizeSettings(size=(64, 40)))
BOX = GivenBox(10, 90, 20, 84, mirror=False)


@pytest.fixture
def records(phantom_manifest: Path) -> list[ImageRecord]:
    return to_records(read_manifest(phantom_manifest))[:4]


def table(folder: Path, text: str) -> Path:
    path = folder / "boxes.csv"
    path.write_text(text)
    return path


def test_a_table_gives_boxes_by_image(tmp_path: Path) -> None:
    review = read_review(
        table(tmp_path, HEADER.replace("left", "note,Left") + "b,0,10,x,2,8,1\n\na,5,7.0,,1,3,\n")
    )
    assert review.boxes == {
        "b": GivenBox(0, 10, 2, 8, mirror=True),
        "a": GivenBox(5, 7, 1, 3),
    }
    assert review.lines == {"b": 2, "a": 4}
    plain = read_review(table(tmp_path, "image_id;top;bottom;left;right\na;5;7;1;3\n"))
    assert plain.boxes == {"a": GivenBox(5, 7, 1, 3)}


def test_the_digest_is_of_what_the_table_says(tmp_path: Path) -> None:
    def digest(text: str) -> str:
        return read_review(table(tmp_path, text)).digest

    first = digest(HEADER + "a,0,10,2,8,1\nb,0,9,2,8,\n")
    same = "right,image_id,left,bottom,top,quality,mirror\r\n08,b,2,9,0,.5,\r\n8,a,2,10,0,.6,1\r\n"
    assert digest(same) == first
    changes = ("a,0,10,2,8,0\n", "a,1,10,2,8,1\n", "c,0,10,2,8,1\n", "a,0,10,2,8,\n")
    assert first not in {digest(HEADER + row + "b,0,9,2,8,\n") for row in changes}
    assert len(first) == 64


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("image_id,top,bottom,left\na,1,2,3\n", "no column 'right' in its first line"),
        ("top,bottom,left,right\n1,2,3,4\n", "no column 'image_id'"),
        (HEADER + "a,1,2,3,4,0\nb,-1,2,3,4,0\n", "'top' must hold 0 ... 65535 or nothing; line 3"),
        (HEADER + "a,1,2,3,x,0\n", "column 'right' must hold 0 ... 65535 or nothing; line 2"),
        (HEADER + "a,1,,3,4,0\n", "column 'bottom' must hold a number of px in each row; line 2"),
        (HEADER + "a,1,2,3,4,yes\n", "column 'mirror' must hold 0, 1 or nothing; line 2"),
        (HEADER + "a,5,5,3,4,0\nb,5,6,4,3,0\n", "top must lie above bottom and left before right"),
        (HEADER + "a,1,2,3,4,0\nb,1,2,3,4,0\na,1,2,3,4,0\n", "one box only; line 2 differs"),
        (HEADER + ",1,2,3,4,0\n", "column 'image_id' must name something in each row; line 2"),
        (HEADER, "holds no rows"),
    ],
)
def test_a_wrong_table_is_one_sentence_with_lines(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(DatasetError) as error:
        read_review(table(tmp_path, text))
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        read_review(tmp_path / "none.csv")


def test_a_box_outside_of_the_frame_names_its_line(
    tmp_path: Path, record_of: Callable[..., ImageRecord]
) -> None:
    records = [record_of(image_id=name, height=100, width=60) for name in "abc"]
    rows = "c,0,100,0,60,\nother,0,999,0,999,\nb,0,101,0,60,\na,0,100,1,61,\n"
    review = read_review(table(tmp_path, HEADER + rows))
    with pytest.raises(DatasetError, match=r"'boxes.csv': each box .* lines 4, 5 differ$"):
        reviewed(records, review)
    assert [record.box for record in reviewed(records[2:], review)] == [GivenBox(0, 100, 0, 60)]
    assert reviewed(records, None) == records


def test_a_table_of_other_images_is_worth_a_warning(
    record_of: Callable[..., ImageRecord], caplog: pytest.LogCaptureFixture
) -> None:
    assert reviewed([record_of(image_id="a")], review_of(GivenBox(0, 1, 0, 1)))[0].box
    assert "none of" not in caplog.text
    assert reviewed([record_of(image_id="b")], review_of())[0].box is None
    assert "they may be of other images, or ids made with another key" in caplog.text


def test_what_is_written_is_read(tmp_path: Path) -> None:
    rows = [("a", Roi(1, 9, 2, 8, mirror=True), 0.98765), ("b", Roi(0, 5, 0, 4, found=False), 0.0)]
    write_boxes(rows, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text().splitlines() == [
        "image_id,top,bottom,left,right,mirror,quality,found",
        "a,1,9,2,8,1,0.9877,1",
        "b,0,5,0,4,0,0.0000,0",
    ]
    assert read_review(tmp_path / "out.csv").boxes == {
        "a": GivenBox(1, 9, 2, 8, mirror=True),
        "b": GivenBox(0, 5, 0, 4, mirror=False),
    }


def review_of(box: GivenBox = BOX, name: str = "a") -> Review:
    return Review({name: box}, {name: 2}, "boxes.csv")


def test_the_table_is_part_of_the_recipe(caplog: pytest.LogCaptureFixture) -> None:
    review = review_of()
    made = reviewed_recipe(RECIPE, review)
    assert made.hash != RECIPE.hash
    assert recipe_from_dict(made.to_dict()) == made
    assert reviewed_recipe(made, review) == made
    with pytest.raises(ConfigError, match="is not the table of boxes that recipe small"):
        reviewed_recipe(made, review_of(GivenBox(0, 1, 0, 1)))
    with caplog.at_level(logging.WARNING):
        assert reviewed_recipe(RECIPE, None) is RECIPE
        assert "--review" not in caplog.text
        assert reviewed_recipe(made, None) is made
    assert "give the table by --review" in caplog.text


def test_a_manifest_and_a_child_know_what_they_should(records: list[ImageRecord]) -> None:
    record = dataclasses.replace(records[0], box=BOX)
    request = Request(record, RECIPE, 5, ())
    assert read_request(write_request(request)) == request
    assert to_records(to_frame([record])) == [records[0]]


def prepared(records: list[ImageRecord], recipe: Recipe) -> Batch:
    with Loader(records, recipe, device="cpu") as loader:
        (batch,) = loader.run(sequential_blocks(len(records), len(records)))
    return batch


@pytest.fixture
def no_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dali_pipelines.decoder, "DecodePool", PoolWithoutChildren)


@pytest.mark.usefixtures("no_children")
@pytest.mark.parametrize("cut", [0, 4])
def test_an_image_gets_its_box_and_the_others_theirs(records: list[ImageRecord], cut: int) -> None:
    recipe = dataclasses.replace(RECIPE, decode=DecodeSettings(cut=cut))
    plain = prepared(records, recipe)
    given = prepared(reviewed(records, review_of(name=records[1].image_id)), recipe)
    assert given.rois[1] == Roi(10, 90, 20, 84)
    assert not np.array_equal(given.images[1], plain.images[1])
    for k in (0, 2, 3):
        assert given.rois[k] == plain.rois[k]
        assert np.array_equal(given.images[k], plain.images[k])


@pytest.mark.usefixtures("no_children")
def test_the_box_that_was_found_by_hand_changes_no_pixel(records: list[ImageRecord]) -> None:
    plain = prepared(records, RECIPE)
    boxes = {}
    for name, roi in zip(plain.image_ids, plain.rois, strict=True):
        assert roi is not None
        boxes[name] = GivenBox(roi.top, roi.bottom, roi.left, roi.right, roi.mirror)
    again = prepared(reviewed(records, Review(boxes, dict.fromkeys(boxes, 2), "all")), RECIPE)
    assert again.rois == plain.rois
    assert np.array_equal(again.images, plain.images)


@pytest.mark.usefixtures("no_children")
def test_how_much_is_decoded_follows_the_given_box(phantom_manifest: Path) -> None:
    """Half of the px are enough for the whole breast in 64 rows, and not for a box of 50."""
    every = to_records(read_manifest(phantom_manifest))
    record = next(r for r in every if r.stream.kind == "j2k" and not r.grayscale.signed)
    recipe = Recipe("r", decode=DecodeSettings("auto"), resize=ResizeSettings(size=(40, 40)))
    (whole,) = prepared([record], recipe).rois
    assert whole is not None
    small = GivenBox(31, 72, 33, 74)
    given = reviewed([record], review_of(small, record.image_id))
    assert prepared(given, recipe).rois == (Roi(31, 72, 33, 74, mirror=whole.mirror),)
