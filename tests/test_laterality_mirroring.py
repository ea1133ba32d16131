"""With mirror=chest-left every breast ends at the left, whatever the tags say; they are only heard.

Judged on what the network gets: the left half must be brighter than the right one.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dali_pipelines.cpu.decode import decode
from dali_pipelines.dicom.image import ReadOptions, read_image
from dali_pipelines.inspection.content import Content, look_at
from dali_pipelines.loader import Loader
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.phantom.patients import ImagePlan, PhantomSettings, draw_patient
from dali_pipelines.phantom.picture import Picture, draw_picture
from dali_pipelines.phantom.write import write_dicom
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.plan import sequential_blocks
from dali_pipelines.reader import read_encoded
from dali_pipelines.recipe import Recipe, load_recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.shading import image_shading
from dali_pipelines.steps import load_steps
from dali_pipelines.storage.archive import Source
from dali_pipelines.verdicts import Flag

SMALL = Recipe("small", resize=ResizeSettings(size=(192, 96)))
OTHER = {"L": "R", "R": "L"}
Write = Callable[[Picture], ImageRecord]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """write(picture) -> the record of its file."""
    number = iter(range(10_000))

    def make(picture: Picture) -> ImageRecord:
        path = tmp_path / f"{next(number)}.dcm"
        write_dicom(path, picture.values, picture.header)
        return read(path)

    return make


def read(path: Path) -> ImageRecord:
    return read_image(Source(str(path)), b"k" * 32, ReadOptions())


def pictures(settings: PhantomSettings) -> Iterator[Picture]:
    for number in range(settings.patients):
        patient = draw_patient(settings, number)
        yield from (draw_picture(settings, ImagePlan(patient, index)) for index in range(4))


def mirrored(picture: Picture) -> Picture:
    return replace(picture, values=np.ascontiguousarray(picture.values[:, ::-1]))


def prepared(records: list[ImageRecord], recipe: Recipe) -> tuple[np.ndarray, list[bool]]:
    """(N, h, w) display values as the network gets them, and which were mirrored."""
    in_threads = LoaderSettings(threads=1, isolation="thread")
    with Loader(records, recipe, in_threads, device="cpu") as loader:
        batches = list(loader.run(sequential_blocks(len(records), 1)))
    assert loader.rejects == []
    boxes = [box for batch in batches for box in batch.rois]
    images = np.concatenate([batch.images[:, 0].numpy() for batch in batches])
    return images * recipe.resize.std + recipe.resize.mean, [box.mirror for box in boxes if box]


def leans_left(image: np.ndarray) -> bool:
    half = image.shape[1] // 2
    return bool(image[:, :half].sum() > image[:, -half:].sum())


def content(record: ImageRecord) -> Content:
    shading = image_shading(record, Recipe("whole"))
    pixels = decode(read_encoded(record))
    (display,) = load_steps("cpu").window([pixels], [shading.display])
    return look_at(display, record.tags)


@pytest.mark.parametrize(
    ("patients", "height", "width"), [(5, 128, 104), (1, 512, 416), (1, 300, 300), (1, 640, 400)]
)
def test_phantoms_and_their_mirrored_copies(
    patients: int, height: int, width: int, write: Write
) -> None:
    drawn = list(pictures(PhantomSettings(patients=patients, height=height, width=width)))
    plain = [write(picture) for picture in drawn]
    turned = [write(mirrored(picture)) for picture in drawn]
    images, were_mirrored = prepared([*plain, *turned], SMALL)
    assert [leans_left(image) for image in images] == [True] * len(images)
    sides = [record.tags.laterality for record in plain]
    assert set(sides) == {"L", "R"}
    assert were_mirrored == [side == "R" for side in sides] + [side == "L" for side in sides]


def test_without_mirroring_a_right_breast_stays_at_the_right(write: Write) -> None:
    drawn = list(pictures(PhantomSettings(patients=1, height=128, width=104)))
    centered = replace(SMALL.resize, align="center")
    as_is = replace(SMALL, roi=replace(SMALL.roi, mirror="none"), resize=centered)
    images, _ = prepared([write(picture) for picture in drawn], as_is)
    assert [leans_left(image) for image in images] == [True, True, False, False]


def test_tags_that_contradict_the_pixels_are_reported_and_not_followed(write: Write) -> None:
    settings = PhantomSettings(patients=1, height=256, width=208, syntax="rle")
    for picture in pictures(settings):
        header = picture.header
        said = replace(header, laterality=OTHER[header.laterality])  # and Patient Orientation
        sound, lied_to, turned = (
            write(one) for one in (picture, replace(picture, header=said), mirrored(picture))
        )
        assert content(sound).flags == ()
        for record in (lied_to, turned):
            assert content(record).flags == (Flag.SIDE_CONFLICT,)
        # a laterality alone, without an orientation, contradicts the usual hanging
        tags = replace(lied_to.tags, chest_side="")
        assert content(replace(lied_to, tags=tags)).flags == (Flag.SIDE_CONFLICT,)
        assert content(replace(turned, tags=replace(tags, laterality=said.laterality))).flags == ()
        images, were_mirrored = prepared([sound, lied_to, turned], SMALL)
        assert [leans_left(image) for image in images] == [True] * 3
        assert np.array_equal(images[0], images[1])
        assert were_mirrored[0] is were_mirrored[1] is not were_mirrored[2]


@pytest.mark.parametrize(
    ("name", "side", "other"), [("GH133", "right", "left"), ("MG1_J2KI", "left", "right")]
)
def test_real_mammograms(name: str, side: str, other: str, shared_data: Path) -> None:
    record = read(shared_data / "mammograms" / f"{name}.dcm")
    images, were_mirrored = prepared([record], load_recipe("default-1536"))
    assert leans_left(images[0])
    assert were_mirrored == [side == "right"]
    seen = content(record)
    assert seen.flags == ()
    assert seen.chest_side == seen.expected_side == side
    lied_to = replace(record, tags=replace(record.tags, chest_side=other))
    assert content(lied_to).flags == (Flag.SIDE_CONFLICT,)
