"""Every recipe at once gives what a loader for each gives: of phantoms, and of all bad inputs."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from dali_pipelines.catalog.scan import ScanOptions, scan
from dali_pipelines.catalog.walk import walk
from dali_pipelines.loader import Loader
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.multi_loader import MultiLoader
from dali_pipelines.phantom.exams import write_phantoms
from dali_pipelines.phantom.patients import PhantomSettings
from dali_pipelines.pixel_settings import DecodeSettings
from dali_pipelines.plan import sequential_blocks
from dali_pipelines.recipe import Recipe, load_recipe, recipe_names
from dali_pipelines.records import ImageRecord
from dali_pipelines.stages import Batch, Roi
from dali_pipelines.verdicts import Reject
from tests.bad_inputs import CASES
from tests.bad_inputs.neighbors import write_good

pytestmark = pytest.mark.slow

# 17 recipes of a block of 2 are 0.4 GiB
SETTINGS = LoaderSettings(readers=2, threads=2, prefetch=1)
IN_THREADS = replace(SETTINGS, isolation="thread")  # by other decoders, without processes to start
BLOCK = 2
BAD_INPUTS = [case for case in CASES if case.command is None and not case.options]
WITH_LEVELS = ("j2k", "htj2k")
FACTS: dict[str, Any] = {}

Images = dict[int, tuple[str, Roi | None]]  # by index: SHA-256 of the values, and the box


@pytest.fixture(scope="module")
def recipes(full: bool) -> list[Recipe]:
    """All that come with the package, and, in a full run, some that leave out wavelet levels.

    In the slice of CI at an eighth of their height and width.
    """
    whole = [load_recipe(name) for name in recipe_names()]
    reduced = [
        replace(load_recipe(name), name=f"{name} {reduce}", decode=DecodeSettings(reduce))
        for name, reduce in (("default-1536", 1), ("spr-1st", "auto"), ("stemgene", "auto"))
    ]
    return [*whole, *reduced] if full else [_smaller(recipe) for recipe in whole]


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory, full: bool) -> Sequence[ImageRecord]:
    """Images of synthetic patients in mixed syntaxes."""
    folder = tmp_path_factory.mktemp("phantoms")
    height, width, patients = (1664, 1280, 4) if full else (416, 320, 1)
    exams = write_phantoms(folder, PhantomSettings(patients, height=height, width=width))
    return scan(list(walk([exams.images])), ScanOptions(workers=1), bytes(32)).records


@pytest.fixture
def bad_inputs(tmp_path: Path) -> Sequence[ImageRecord]:
    """What a scan accepts of all bad inputs and the sound images beside them."""
    with ExitStack() as stack:
        for case in BAD_INPUTS:
            (tmp_path / case.name).mkdir()
            case.build(tmp_path / case.name)
            stack.enter_context(case.during(tmp_path / case.name))
        write_good(tmp_path)
        inputs = list(walk([tmp_path]))
        for case in BAD_INPUTS:
            if case.walked:
                case.walked(tmp_path / case.name)
        records = scan(inputs, ScanOptions(workers=1), bytes(32)).records
    for case in BAD_INPUTS:
        if case.after:
            case.after(tmp_path / case.name)
    return records


def test_phantoms_come_out_as_from_loaders_for_each(
    phantoms: Sequence[ImageRecord], recipes: list[Recipe]
) -> None:
    facts = assert_as_apart(phantoms, recipes)
    assert facts["rejects_alike"] == 0
    assert sum(facts["decoded"].values()) == sum(_pictures(one, recipes) for one in phantoms)
    FACTS["phantoms"] = facts


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of OpenJPH's
def test_bad_inputs_come_out_as_from_loaders_for_each(
    bad_inputs: Sequence[ImageRecord], recipes: list[Recipe]
) -> None:
    smaller = [_smaller(recipe) for recipe in recipes]
    facts = assert_as_apart(bad_inputs, smaller)
    assert facts["rejects_alike"] >= 20
    FACTS["bad_inputs"] = facts


def test_it_is_on_record(record_evidence: Callable[[str, dict[str, Any]], None]) -> None:
    assert sorted(FACTS) == ["bad_inputs", "phantoms"]
    record_evidence("multi_loader", FACTS)


def assert_as_apart(records: Sequence[ImageRecord], recipes: list[Recipe]) -> dict[str, Any]:
    """Compare images, boxes, rejects and counts; what was compared, for the record."""
    alone = [_load_alone(records, recipe) for recipe in recipes]
    whole = set.intersection(*(set(images) for images, _ in alone))
    found: list[Images] = [{} for _ in recipes]
    with MultiLoader(records, recipes, SETTINGS, "cpu") as loader:
        for batches in loader.run(sequential_blocks(len(records), BLOCK)):
            for images, batch in zip(found, batches, strict=True):
                images.update(_images(batch))
        rejects, counts = loader.rejects_by_id, loader.counts
    for images, (wanted, _) in zip(found, alone, strict=True):
        assert images == {index: wanted[index] for index in whole}
    first: dict[str, Reject] = {}
    for _, of_recipe in reversed(alone):
        first |= of_recipe
    assert rejects == first
    assert len(whole) + len(rejects) == len(records)
    least, most = (
        sum(_pictures(records[index], recipes) for index in some)
        for some in (whole, range(len(records)))
    )  # damage in the levels that one recipe leaves out is a reject of another
    assert least <= sum(counts.values()) <= most
    return {
        "images": len(records),
        "recipes": [recipe.name for recipe in recipes],
        "images_alike": len(recipes) * len(whole),
        "rejects_alike": len(rejects),
        "decoded": counts,
    }


def _load_alone(records: Sequence[ImageRecord], recipe: Recipe) -> tuple[Images, dict[str, Reject]]:
    """The images that a loader of this recipe alone makes, and its rejects by image_id."""
    images: Images = {}
    with Loader(records, recipe, IN_THREADS, "cpu") as loader:
        for batch in loader.run(sequential_blocks(len(records), BLOCK)):
            images |= _images(batch)
        return images, loader.rejects_by_id


def _images(batch: Batch) -> Images:
    """What a batch holds; the other places are zeros."""
    assert not batch.images[~batch.valid].any()
    return {
        index: (sha256(image.numpy()).hexdigest(), roi)
        for index, image, roi in zip(batch.indices.tolist(), batch.images, batch.rois, strict=True)
        if roi is not None
    }


def _pictures(record: ImageRecord, recipes: list[Recipe]) -> int:
    """How often an image must be decoded: whole, less 1 level, and as each "auto" wants."""
    if record.stream.kind not in WITH_LEVELS or record.location.frame_fragments:
        return 1
    autos = sum(recipe.decode.reduce == "auto" for recipe in recipes)
    return autos + len({recipe.decode.reduce for recipe in recipes} - {"auto"})


def _smaller(recipe: Recipe) -> Recipe:
    height, width = recipe.size
    return replace(recipe, resize=replace(recipe.resize, size=(height // 8, width // 8)))
