"""Several recipes on a GPU that is emulated: the CPU's images, decoded and uploaded once."""

import dataclasses

import numpy as np
import pytest

from dali_pipelines.in_flight import InFlight, read_ids
from dali_pipelines.pixel_settings import DecodeSettings, ResizeSettings, StretchSettings
from dali_pipelines.plan import EMPTY, sequential_blocks
from dali_pipelines.recipe import Recipe, load_recipe, recipe_names
from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.shading import image_shading
from dali_pipelines.verdicts import Reason, RejectError
from dali_pipelines.voi_settings import Voi
from tests.dali_pipelines.gpu.compared_batches import (
    RECIPE,
    all_on_cpu,
    assert_same,
    collect_all,
    on_cpu,
)
from tests.pool_without_children import PoolWithoutChildren

pytestmark = pytest.mark.usefixtures("each_device", "_decodes_here")

CUT = Recipe("cut", decode=DecodeSettings(cut=5), resize=ResizeSettings(size=(16, 12)))
COLOR = Recipe("color", resize=ResizeSettings(size=(16, 24), channels=3, dtype="bfloat16"))
TWO_PICTURES = Recipe(
    "two pictures",
    voi=Voi("lut", fallback="min-max"),
    stretch=StretchSettings("percentiles", 1, 99),
    roi=RoiSettings(source="min-max"),
    resize=RECIPE.resize,
)
RECIPES = (RECIPE, CUT, COLOR, TWO_PICTURES)
HALVES = Recipe("halves", decode=DecodeSettings(1), resize=RECIPE.resize)


@pytest.fixture
def _decodes_here(monkeypatch):
    """A child takes a second to start."""
    monkeypatch.setattr("dali_pipelines.decoder.DecodePool", PoolWithoutChildren)


def assert_all_same(found, wanted):
    for one, other in zip(found, wanted, strict=True):
        assert_same(one, other)


def by_gpu(counts):
    return sum(count for name, count in counts.items() if name.startswith("dali gpu"))


def test_batches_are_those_of_a_loader_for_each_recipe(records, gpu):
    blocks = np.concatenate([sequential_blocks(12, 5), [[0, EMPTY, 3, 3, EMPTY]]])
    loader = gpu(records, RECIPES, batch=10)
    found = collect_all(loader, blocks)
    assert_all_same(found, [on_cpu(records, blocks, recipe) for recipe in RECIPES])
    assert not loader.rejects
    taken = by_gpu(loader.counts)
    assert 3 < taken <= 15
    plain = gpu(records, batch=10)
    for _ in plain.run(blocks):
        pass
    assert loader.counts == plain.counts


def test_every_recipe_gets_the_images_of_the_cpu(records, gpu):
    recipes = [load_recipe(name) for name in recipe_names()]
    recipes = [
        dataclasses.replace(one, resize=dataclasses.replace(one.resize, size=(48, 32)))
        for one in recipes
    ]
    blocks = sequential_blocks(4, 4)
    assert_all_same(
        collect_all(gpu(records[:4], recipes), blocks), all_on_cpu(records, blocks, recipes)
    )


def test_what_leaves_out_levels_is_the_cpu_s_and_the_rest_is_decoded_once(records, gpu):
    recipes, blocks = (HALVES, RECIPE, CUT), sequential_blocks(len(records), 5)
    loader = gpu(records, recipes)
    found = collect_all(loader, blocks)
    assert_all_same(found, all_on_cpu(records, blocks, recipes))
    counts = loader.counts
    streams = [record.stream.kind for record in records]
    levels = sum(kind in {"j2k", "htj2k"} for kind in streams)
    assert sum(n for name, n in counts.items() if name.endswith("1/2")) == levels
    assert by_gpu(counts) >= levels
    assert counts["dali gpu j2k"] == streams.count("j2k")


def test_pictures_of_the_cpu_go_up_once_for_all_recipes(records, gpu, monkeypatch):
    from dali_pipelines.gpu import block, window
    from dali_pipelines.gpu.device import upload

    raw = [record for record in records if record.stream.kind in {"raw", "rle"}]
    assert raw
    px = raw[0].stream.height * raw[0].stream.width
    sizes = []

    def counted(host):
        sizes.append(host.nbytes)
        return upload(host)

    for module in (block, window):
        monkeypatch.setattr(module, "upload", counted)
    blocks = sequential_blocks(len(raw), len(raw))
    assert_all_same(
        collect_all(gpu(raw, RECIPES), blocks), [on_cpu(raw, blocks, one) for one in RECIPES]
    )
    assert sizes.count(2 * px) == len(raw)


def test_a_gpu_that_lies_is_found_out_for_all_recipes(records, gpu):
    """Beside images of which one recipe has another picture, so that places are not positions."""
    seen = []

    def fault(info, values):  # right for the canary's frames, then black
        seen.append(info.kind)
        lies = info.kind == "jpeg_lossless" and seen.count(info.kind) > 4
        return np.zeros_like(values) if lies else values

    lossless = [r for r in records if r.stream.kind == "jpeg_lossless" and r.stream.predictor == 1]
    many = [next(r for r in records if r.stream.kind == "j2k"), *(lossless * 9)[:9]]
    recipes, blocks = (
        (RECIPE, HALVES, CUT),
        np.array([[0, 1, 2, 3, 4], [5, 0, 6, 0, 7], [8, 9] * 2 + [0]]),
    )
    loader = gpu(many, recipes, fault=fault, batch=10)
    assert_all_same(collect_all(loader, blocks), all_on_cpu(many, blocks, recipes))
    assert not loader.rejects
    assert loader.counts["doubts"] > 0


def test_what_one_recipe_cannot_prepare_is_valid_in_none(records, gpu, monkeypatch):
    faults = {("cut", 1): "cut", ("two pictures", 1): "no", ("two pictures", 2): "two"}

    def shading(record, recipe):
        place = next(k for k, one in enumerate(records) if one is record)
        if (recipe.name, place) in faults:
            raise RejectError(Reason.VOI, faults[recipe.name, place])
        return image_shading(record, recipe)

    for device in ("cpu", "gpu"):
        monkeypatch.setattr(f"dali_pipelines.{device}.batches.image_shading", shading)
    loader, blocks = gpu(records, RECIPES), sequential_blocks(6, 6)
    found = collect_all(loader, blocks)
    assert_all_same(found, all_on_cpu(records, blocks, RECIPES))
    for ((images, valid, *_),) in found:
        assert valid == [True, False, False, True, True, True]
        assert not images[1:3].any()
    assert {name: (one.stage, one.detail) for name, one in loader.rejects_by_id.items()} == {
        records[1].image_id: ("prepare", "cut"),
        records[2].image_id: ("prepare", "two"),
    }


def test_bad_files_cost_their_own_slot_under_every_recipe(records, gpu):
    gone = [
        dataclasses.replace(r, location=dataclasses.replace(r.location, path="/gone"))
        if k in {0, 5, 11}
        else r
        for k, r in enumerate(records)
    ]
    blocks = np.array([[0, 1, 2, 3], [4, 5, EMPTY, 6], [11, 7, 8, 11]])
    loader = gpu(gone, (*RECIPES, HALVES))
    assert_all_same(
        collect_all(loader, blocks), [on_cpu(gone, blocks, one) for one in (*RECIPES, HALVES)]
    )
    assert {(reject.stage, reject.reason) for reject in loader.rejects} == {("read", Reason.IO)}


def test_batches_hold_until_the_next_are_asked_for_and_their_memory_is_used_again(records, gpu):
    blocks = sequential_blocks(len(records), 1)
    wanted = [on_cpu(records, blocks, recipe) for recipe in (RECIPE, CUT)]
    addresses = []
    run = gpu(records, (RECIPE, CUT), prefetch=1).run(blocks)
    for batches, *expected in zip(run, *wanted, strict=True):
        for batch, (images, *_) in zip(batches, expected, strict=True):
            assert np.array_equal(batch.images.cpu().numpy(), images)
        addresses.append(tuple(batch.images.data_ptr() for batch in batches))
    assert len(set(addresses)) < len(addresses)


def test_a_run_may_be_left_early_and_notes_what_is_on_the_gpu(records, gpu, tmp_path):
    loader = gpu(records, (RECIPE, HALVES))
    loader.note_in_flight(InFlight(tmp_path / "rank-0.txt"))
    with loader:
        run = loader.run(sequential_blocks(len(records), 2))
        next(run)
        run.close()
        assert read_ids(tmp_path) <= {record.image_id for record in records}
        assert read_ids(tmp_path)
        blocks = sequential_blocks(len(records), 3)
        assert_all_same(collect_all(loader, blocks), all_on_cpu(records, blocks, (RECIPE, HALVES)))
    assert not read_ids(tmp_path)
