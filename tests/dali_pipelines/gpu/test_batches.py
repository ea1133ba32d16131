"""The loader on a GPU that is emulated: the CPU's images, bit for bit, whatever that GPU does."""

import dataclasses
import threading

import numpy as np
import pytest
import torch

from dali_pipelines.in_flight import InFlight, read_ids
from dali_pipelines.pixel_settings import DecodeSettings, ResizeSettings, StretchSettings
from dali_pipelines.plan import EMPTY, sequential_blocks, shuffled_blocks
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import GivenBox
from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.verdicts import Reason
from dali_pipelines.voi_settings import Voi
from tests.dali_pipelines.gpu.compared_batches import RECIPE, assert_same, collect, on_cpu

pytestmark = pytest.mark.usefixtures("each_device")


@pytest.mark.parametrize("together", [0, 8, 100])
def test_batches_are_those_of_the_cpu(records, gpu, together):
    blocks = sequential_blocks(len(records), 5)
    loader = gpu(records, batch=together)
    assert_same(collect(loader, blocks), on_cpu(records, blocks, RECIPE))
    assert not loader.rejects
    assert sum(loader.counts[name] for name in loader.counts if name.startswith("dali gpu")) > 3


@pytest.mark.parametrize(
    "recipe",
    [
        Recipe("stretched", stretch=StretchSettings("percentiles", 1, 99), resize=RECIPE.resize),
        Recipe("reduced", decode=DecodeSettings(1), resize=RECIPE.resize),
        Recipe("cut", decode=DecodeSettings(cut=5), resize=RECIPE.resize),
        Recipe("cut and reduced", decode=DecodeSettings(1, cut=5), resize=RECIPE.resize),
        Recipe(
            "two pictures",
            voi=Voi("lut", fallback="min-max"),
            roi=RoiSettings(source="min-max"),
            resize=RECIPE.resize,
        ),
        Recipe("color", resize=ResizeSettings(size=(16, 24), channels=3, dtype="bfloat16")),
    ],
    ids=lambda recipe: recipe.name,
)
def test_recipes_give_the_images_of_the_cpu(records, gpu, recipe):
    blocks = sequential_blocks(len(records), 4)
    assert_same(collect(gpu(records, recipe), blocks), on_cpu(records, blocks, recipe))


@pytest.mark.parametrize("cut", [0, 5])
def test_boxes_by_hand_give_the_images_of_the_cpu(records, gpu, cut):
    given = [
        dataclasses.replace(r, box=GivenBox(9 + k, 90, 8, 70 + k, (None, True, False)[k % 3]))
        if k not in {1, 4, 6}
        else r
        for k, r in enumerate(records)
    ]
    recipe = Recipe("cut", decode=DecodeSettings(1, cut=cut), resize=RECIPE.resize)
    blocks = sequential_blocks(len(records), 5)
    found = collect(gpu(given, recipe), blocks)
    assert_same(found, on_cpu(given, blocks, recipe))
    assert found[0][-1][2].mirror is False
    plain = collect(gpu(records, recipe), blocks)
    same = [
        np.array_equal(a, b)
        for one, other in zip(found, plain, strict=True)
        for a, b in zip(one[0], other[0], strict=True)
    ][:12]
    assert same == [r.box is None for r in given]


def test_bad_files_cost_their_own_slot_wherever_it_lies(records, gpu):
    gone = [
        dataclasses.replace(r, location=dataclasses.replace(r.location, path="/gone"))
        if k in {0, 5, 11}
        else r
        for k, r in enumerate(records)
    ]
    blocks = np.array([[0, 1, 2, 3], [4, 5, EMPTY, 6], [11, 7, 8, 11]])
    loader = gpu(gone)
    assert_same(collect(loader, blocks), on_cpu(gone, blocks, RECIPE))
    assert {reject.image_id for reject in loader.rejects} == {
        records[k].image_id for k in (0, 5, 11)
    }
    assert {(reject.stage, reject.reason) for reject in loader.rejects} == {("read", Reason.IO)}


def test_a_gpu_that_lies_is_found_out_and_the_images_are_right_all_the_same(records, gpu):
    seen = []

    def fault(info, values):  # right for the canary's frames of every class, then black
        seen.append(info.kind)
        return values if seen.count(info.kind) <= 6 else np.zeros_like(values)

    lossless = [r for r in records if r.stream.kind == "jpeg_lossless" and r.stream.predictor == 1]
    many = (lossless * 20)[:20]
    blocks = sequential_blocks(len(many), 4)
    loader = gpu(many, fault=fault)
    assert_same(collect(loader, blocks), on_cpu(many, blocks, RECIPE))
    assert not loader.rejects
    assert any(name.startswith("moved to the cpu: ") for name in loader.counts)


def test_an_old_nvjpeg_decodes_no_lossless_jpeg(records, gpu):
    blocks = sequential_blocks(len(records), 4)
    loader = gpu(records, fault=None, sound=False)
    assert_same(collect(loader, blocks), on_cpu(records, blocks, RECIPE))
    assert "dali gpu jpeg_lossless" not in loader.counts


def test_a_record_whose_gray_scale_gives_no_table_is_rejected(records, gpu, monkeypatch):
    from dali_pipelines.shading import image_shading
    from dali_pipelines.verdicts import RejectError

    def shading(record, recipe):
        if record is records[1]:
            raise RejectError(Reason.VOI, "none")
        return image_shading(record, recipe)

    monkeypatch.setattr("dali_pipelines.gpu.batches.image_shading", shading)
    loader = gpu(records[:3])
    ((images, valid, *_),) = collect(loader, sequential_blocks(3, 3))
    assert valid == [True, False, True]
    assert not images[1].any()
    assert [(reject.stage, reject.reason) for reject in loader.rejects] == [("prepare", Reason.VOI)]


def test_a_batch_holds_until_the_next_is_asked_for_and_its_memory_is_used_again(records, gpu):
    blocks = sequential_blocks(len(records), 1)
    wanted = on_cpu(records, blocks, RECIPE)
    addresses = []
    for batch, (images, *_) in zip(gpu(records, prefetch=1).run(blocks), wanted, strict=True):
        threading.Event().wait(0.05)  # the producer goes on as far as it may
        assert np.array_equal(batch.images.cpu().numpy(), images)
        addresses.append(batch.images.data_ptr())
    assert len(set(addresses)) < len(addresses)


def test_a_run_may_be_left_early_and_the_next_begins_afresh(records, gpu):
    loader = gpu(records)
    before = threading.active_count()
    for number in range(3):
        run = loader.run(shuffled_blocks(None, len(records), 2, seed=number, epoch=0))
        next(run)
        run.close()
    blocks = sequential_blocks(len(records), 3)
    assert_same(collect(loader, blocks), on_cpu(records, blocks, RECIPE))
    assert not [t.name for t in threading.enumerate() if t.name == "mammo-produce"]
    loader.close()
    assert threading.active_count() <= before


def test_an_error_in_the_caller_leaves_nothing_behind(records, gpu):
    loader = gpu(records)
    with pytest.raises(ZeroDivisionError):
        for _ in loader.run(sequential_blocks(len(records), 2)):
            raise ZeroDivisionError
    blocks = sequential_blocks(len(records), 2)
    assert_same(collect(loader, blocks), on_cpu(records, blocks, RECIPE))


def test_a_bug_on_the_way_is_raised_where_the_batches_are_asked_for(records, gpu, monkeypatch):
    def broken(*_):
        raise RuntimeError("broken kernel")

    loader = gpu(records)
    monkeypatch.setattr(loader._batches._maker, "launch", broken)
    with pytest.raises(RuntimeError, match="broken kernel"):
        list(loader.run(sequential_blocks(len(records), 2)))


def test_what_was_on_the_gpu_when_it_failed_is_decoded_by_the_cpu(records, gpu, tmp_path):
    """One image makes the GPU fail whenever it sees it; the next process is spared that."""
    wanted = on_cpu(records, sequential_blocks(len(records), 3), RECIPE)
    seen = []

    def fault(info, values):
        seen.append(values.tobytes())
        if len(seen) > 1 and values.tobytes() == seen[1]:
            raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")
        return values

    def run():
        loader = gpu(records, fault=fault)
        loader.note_in_flight(InFlight(tmp_path / "rank-0.txt", read_ids(tmp_path)))
        with loader:
            return collect(loader, sequential_blocks(len(records), 3)), loader.counts

    with pytest.raises(torch.AcceleratorError, match="illegal memory access"):
        run()
    noted = read_ids(tmp_path)
    assert noted
    assert noted <= {record.image_id for record in records}
    before = len(seen)
    found, counts = run()
    assert_same(found, wanted)
    assert seen[1] not in seen[before:]
    assert 0 < sum(counts[name] for name in counts if name.startswith("dali gpu")) < len(records)
    assert not read_ids(tmp_path)
