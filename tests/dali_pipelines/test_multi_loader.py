"""Several recipes at once: the batches of a loader for each, of files read and decoded once."""

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from dali_pipelines import read_ahead
from dali_pipelines.loader import Loader
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.manifest import read_manifest
from dali_pipelines.manifest_rows import to_records
from dali_pipelines.multi_loader import MultiLoader
from dali_pipelines.pixel_settings import DecodeSettings, ResizeSettings, StretchSettings
from dali_pipelines.plan import EMPTY, Blocks, sequential_blocks
from dali_pipelines.reader import read_encoded
from dali_pipelines.recipe import Recipe, load_recipe, recipe_names
from dali_pipelines.records import GivenBox, ImageRecord
from dali_pipelines.shading import image_shading
from dali_pipelines.stages import Batch
from dali_pipelines.steps import Steps
from dali_pipelines.verdicts import Reason, RejectError
from tests.pool_without_children import PoolWithoutChildren

IN_THREADS = LoaderSettings(readers=1, threads=2, isolation="thread")
SMALL = ResizeSettings(size=(24, 16))
PLAIN = Recipe("plain", resize=SMALL)
CUT = Recipe("cut", decode=DecodeSettings(cut=5), resize=replace(SMALL, size=(16, 12)))
COLOR = Recipe("color", resize=replace(SMALL, channels=3, dtype="bfloat16"))  # looks as PLAIN
STRETCHED = Recipe("stretched", stretch=StretchSettings("percentiles", 1, 99), resize=SMALL)
HALVES = Recipe("halves", decode=DecodeSettings(1), resize=SMALL)
FITTING = Recipe("fitting", decode=DecodeSettings("auto"), resize=SMALL)
FITTING_LARGER = replace(FITTING, resize=replace(SMALL, size=(60, 48)))
WITH_LEVELS = ("j2k", "htj2k")


@pytest.fixture(autouse=True)
def _decodes_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child takes a second to start."""
    monkeypatch.setattr("dali_pipelines.decoder.DecodePool", PoolWithoutChildren)


@pytest.fixture
def records(phantom_manifest: Path) -> list[ImageRecord]:
    """Twelve phantoms of 128 x 104 px in mixed syntaxes."""
    return to_records(read_manifest(phantom_manifest))[:12]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each file was read since."""
    counts: Counter[str] = Counter()

    def counted(record: ImageRecord, *, verify: bool = True) -> object:
        counts[record.image_id] += 1
        return read_encoded(record, verify=verify)

    monkeypatch.setattr(read_ahead, "read_encoded", counted)
    return counts


def apart(
    records: Sequence[ImageRecord], recipe: Recipe, blocks: Blocks, settings: LoaderSettings
) -> list[Batch]:
    """What a loader for that recipe alone gives."""
    with Loader(records, recipe, settings, device="cpu") as loader:
        return list(loader.run(blocks))


def assert_same(found: Sequence[Batch], wanted: Sequence[Batch]) -> None:
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert one.images.dtype == other.images.dtype
        assert torch.equal(one.images, other.images)
        assert torch.equal(one.valid, other.valid)
        assert one.indices.tolist() == other.indices.tolist()
        assert (one.image_ids, one.rois) == (other.image_ids, other.rois)


def test_every_recipe_gets_the_batches_of_its_own_loader(
    records: list[ImageRecord], reads: Counter[str]
) -> None:
    recipes = [load_recipe(name) for name in recipe_names()]
    recipes = [replace(one, resize=replace(one.resize, size=(96, 64))) for one in recipes]
    blocks = sequential_blocks(len(records), 5)
    with MultiLoader(records, recipes, IN_THREADS, "cpu") as loader:
        found = list(loader.run(blocks))
    assert reads == dict.fromkeys((record.image_id for record in records), 1)
    assert sum(loader.counts.values()) == len(records)
    assert loader.rejects == []
    for recipe, batches in zip(recipes, zip(*found, strict=True), strict=True):
        assert_same(batches, apart(records, recipe, blocks, IN_THREADS))


def test_only_what_leaves_out_other_levels_is_decoded_again(
    records: list[ImageRecord], reads: Counter[str]
) -> None:
    recipes = (HALVES, PLAIN, replace(HALVES, resize=CUT.resize), FITTING, CUT, FITTING_LARGER)
    blocks = sequential_blocks(len(records), 5)
    with MultiLoader(records, recipes, IN_THREADS, "cpu") as loader:
        found = list(loader.run(blocks))
    levels = [record.stream.kind in WITH_LEVELS for record in records]
    assert 0 < sum(levels) < len(levels)
    assert set(reads.values()) == {1}
    # whole, halves, and each of the two that look for the breast
    assert sum(loader.counts.values()) == sum(4 if has_levels else 1 for has_levels in levels)
    for recipe, batches in zip(recipes, zip(*found, strict=True), strict=True):
        assert_same(batches, apart(records, recipe, blocks, IN_THREADS))


def test_recipes_that_cut_out_the_same_box_look_for_it_once(
    records: list[ImageRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    find, looked = Steps.find, Counter[str]()

    def counted(steps: Steps, pixels: object, shadings: object, recipe: Recipe, *given: object):
        looked[recipe.name] += 1
        return find(steps, pixels, shadings, recipe, *given)

    monkeypatch.setattr(Steps, "find", counted)
    with MultiLoader(records[:3], [PLAIN, CUT, COLOR, STRETCHED], IN_THREADS, "cpu") as loader:
        (batches,) = loader.run(sequential_blocks(3, 3))
    assert looked == {"plain": 3, "cut": 3, "stretched": 3}
    assert batches[0].rois == batches[2].rois != batches[1].rois


def test_one_recipe_is_a_loader_of_it(records: list[ImageRecord]) -> None:
    blocks = np.array([[3, EMPTY, 0], [7, 7, 11]])
    with MultiLoader(records, [COLOR], IN_THREADS, "cpu") as loader:
        found = [batch for (batch,) in loader.run(blocks)]
    assert_same(found, apart(records, COLOR, blocks, IN_THREADS))


def test_boxes_by_hand_are_for_all_recipes(records: list[ImageRecord]) -> None:
    given = [replace(r, box=GivenBox(9, 90, 8, 70 + k)) for k, r in enumerate(records)]
    blocks = sequential_blocks(len(given), 6)
    with MultiLoader(given, [PLAIN, CUT], IN_THREADS, "cpu") as loader:
        found = list(loader.run(blocks))
    for recipe, batches in zip((PLAIN, CUT), zip(*found, strict=True), strict=True):
        assert_same(batches, apart(given, recipe, blocks, IN_THREADS))
        assert {roi.top for batch in batches for roi in batch.rois if roi} == {9}


def failing(
    monkeypatch: pytest.MonkeyPatch, faults: dict[tuple[str, int], str], records: list[ImageRecord]
) -> None:
    """Let a recipe, by its name, fail at a record with that detail."""

    def shading(record: ImageRecord, recipe: Recipe) -> object:
        place = next(k for k, one in enumerate(records) if one is record)
        if (recipe.name, place) in faults:
            raise RejectError(Reason.VOI, faults[recipe.name, place])
        return image_shading(record, recipe)

    monkeypatch.setattr("dali_pipelines.cpu.batches.image_shading", shading)


def test_what_one_recipe_cannot_prepare_is_valid_in_none(
    records: list[ImageRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = {("cut", 1): "cut", ("stretched", 1): "no", ("stretched", 3): "stretched"}
    failing(monkeypatch, faults, records)
    recipes, blocks = (PLAIN, CUT, COLOR, STRETCHED), sequential_blocks(6, 6)
    with MultiLoader(records[:6], recipes, IN_THREADS, "cpu") as loader:
        (batches,) = loader.run(blocks)
    assert {name: reject.detail for name, reject in loader.rejects_by_id.items()} == {
        records[1].image_id: "cut",
        records[3].image_id: "stretched",
    }
    assert [reject.stage for reject in loader.rejects] == ["prepare", "prepare"]
    (alone,) = apart(records[:6], PLAIN, blocks, IN_THREADS)
    for batch in batches:
        assert batch.valid.tolist() == [True, False, True, False, True, True]
        assert [roi is None for roi in batch.rois] == [False, True, False, True, False, False]
        assert not batch.images[[1, 3]].any()
        assert batch.image_ids == alone.image_ids
    kept = [0, 2, 4, 5]
    assert torch.equal(batches[0].images[kept], alone.images[kept])
    assert alone.images[[1, 3]].abs().amax(dim=(1, 2, 3)).min() > 0


def test_the_first_recipe_says_why_whatever_is_decoded_first(
    records: list[ImageRecord], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decoded for the first and the third recipe, then for the second."""
    place = next(k for k, one in enumerate(records) if one.stream.kind == "j2k")
    failing(monkeypatch, {("halves", place): "halves", ("cut", place): "cut"}, records)
    with MultiLoader(records, [PLAIN, HALVES, CUT], IN_THREADS, "cpu") as loader:
        list(loader.run(np.array([[place]])))
    assert [reject.detail for reject in loader.rejects] == ["halves"]


def test_bad_files_are_the_rejects_of_a_loader(records: list[ImageRecord], tmp_path: Path) -> None:
    gone = replace(records[0], location=replace(records[0].location, path=str(tmp_path / "gone")))
    source = records[2]
    ((start, length),) = source.location.fragments
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(Path(source.location.path).read_bytes()[: start + length // 2])
    state = cut.stat()
    place = replace(
        source.location, path=str(cut), file_size=state.st_size, mtime_ns=state.st_mtime_ns
    )
    given = [gone, records[1], replace(source, location=place)]
    blocks = sequential_blocks(3, 3)
    with MultiLoader(given, [PLAIN, HALVES, CUT], IN_THREADS, "cpu") as loader:
        (batches,) = loader.run(blocks)
    with Loader(given, PLAIN, IN_THREADS, device="cpu") as alone:
        list(alone.run(blocks))
    assert loader.rejects == alone.rejects
    assert {reject.stage for reject in loader.rejects} == {"read"}
    assert all(batch.valid.tolist() == [False, True, False] for batch in batches)


def test_a_run_is_left_early_and_an_open_one_ends_with_the_loader(
    records: list[ImageRecord],
) -> None:
    before = threading.active_count()
    loader = MultiLoader(records, [PLAIN, CUT], IN_THREADS, "cpu")
    with loader:
        for _ in loader.run(sequential_blocks(len(records), 1)):
            break
        assert len(list(loader.run(sequential_blocks(len(records), 4)))) == 3
        run = loader.run(sequential_blocks(len(records), 1))
        next(run)
    assert list(run) == []
    assert threading.active_count() == before


def test_finished_blocks_wait_for_the_caller_and_no_more_are_made(
    records: list[ImageRecord], reads: Counter[str]
) -> None:
    """Two groups are read ahead, one is begun and one being finished, one waits, one is out."""
    blocks = sequential_blocks(len(records), 1)
    with MultiLoader(records, [PLAIN, CUT, COLOR], replace(IN_THREADS, prefetch=1), "cpu") as one:
        run = one.run(blocks)
        next(run)
        threading.Event().wait(0.5)
        assert sum(reads.values()) <= 6
        run.close()


def test_without_a_recipe_there_is_nothing_to_prepare(records: list[ImageRecord]) -> None:
    with pytest.raises(ValueError, match="at least one recipe"):
        MultiLoader(records, [], device="cpu")


@pytest.mark.parametrize("changed", [{"reduce": 2}, {"reduce": "auto"}])
def test_a_second_recipe_that_leaves_out_levels_needs_pillow_from_the_start(
    changed: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dali_pipelines.errors import DeviceError

    monkeypatch.setattr("PIL.features.check_codec", lambda _: False)
    MultiLoader([], [PLAIN, CUT], device="cpu").close()
    with pytest.raises(DeviceError, match="needs Pillow with JPEG 2000"):
        MultiLoader([], [PLAIN, replace(CUT, decode=DecodeSettings(**changed))], device="cpu")
