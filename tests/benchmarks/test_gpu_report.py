"""The GPU report without a GPU: what can be emulated runs at tiny size, and the table by hand."""

import json
import sys
import time
from functools import partial

import pytest
import torch

from benchmarks import gpu_report
from benchmarks.gpu import (
    exactness,
    facts,
    inputs,
    isolation,
    kernels,
    loader_rates,
    memory,
    overlap,
    ranks,
    sections,
    throughput,
    twins,
)
from benchmarks.gpu.inputs import COMPRESSED, Inputs, make_images
from benchmarks.gpu.targets import TARGETS, judge_all
from benchmarks.job import Job
from dali_pipelines.cpu.decode import decode as decode_image
from dali_pipelines.gpu.device import use_device
from dali_pipelines.graph import DaliDecoder
from dali_pipelines.pixel_settings import ResizeSettings, StretchSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.verdicts import guarded
from tests.dali_pipelines.gpu.emulated_dali import EmulatedDali
from tests.dali_pipelines.gpu.host_device import HostDevice, compiler

SMALL = ResizeSettings(size=(48, 24))


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Two phantoms of 128 x 104 px in every syntax."""
    made = Inputs(tmp_path_factory.mktemp("images"), (128, 104), 2, 2, quick=True, recipe="demo")
    make_images(made)
    return made


def new_dali(batch, threads, device="cpu", device_id=None):
    """As graph.DaliDecoder, of which "mixed" is emulated."""
    return EmulatedDali() if device == "mixed" else DaliDecoder(batch, threads)


@pytest.fixture
def emulated(monkeypatch):
    """The GPU is this CPU."""
    if compiler() is None:
        pytest.skip("kernels cannot run on this CPU: that takes g++ on Linux")

    def decode_here(decoder, item):  # a child takes a second to start
        decoder.counts[f"imagecodecs {item.record.stream.kind}"] += 1
        return guarded(partial(decode_image, item))

    for module in (exactness, isolation, facts):
        monkeypatch.setattr(module, "new_dali", lambda _batch: EmulatedDali())
    monkeypatch.setattr("dali_pipelines.graph.DaliDecoder", new_dali)
    monkeypatch.setattr("dali_pipelines.gpu.decoder._new_dali", lambda _: EmulatedDali())
    monkeypatch.setattr("dali_pipelines.gpu.decoder.can_decode_lossless", lambda: True)
    monkeypatch.setattr("dali_pipelines.decoder.Decoder.decode_alone", decode_here)
    monkeypatch.setattr("dali_pipelines.steps._missing_for_gpu", lambda: "")
    monkeypatch.setattr(Job, "finish", lambda _: None)
    with use_device(HostDevice()):
        yield


@pytest.fixture
def found(tiny):
    """found(name, ...) -> what a section notes on the tiny images."""

    def run(measure):
        notes = {}
        measure(tiny, notes.__setitem__)
        return json.loads(json.dumps(notes))

    return run


# ---- sections ----------------------------------------------------------------------------------


def test_images_come_in_every_syntax_and_again_and_again(tiny):
    kinds = {"j2k": "j2k", "htj2k": "htj2k", "jpeg_sv1": "jpeg_lossless", "raw": "raw"}
    assert set(inputs.SYNTAXES) == kinds.keys()
    for syntax, kind in kinds.items():
        records = tiny.records(syntax, 5)
        assert {r.stream.kind for r in records} == {kind}
        assert {(r.stream.height, r.stream.width) for r in records} == {(128, 104)}
        assert {r.grayscale.bits_stored for r in records} == {12}
        assert len(records) == 5
        assert len({r.image_id for r in records}) == 2


@pytest.mark.usefixtures("emulated")
def test_exactness(found):
    result = found(exactness.measure)
    assert result["wrong"] == 0
    assert result["moved"] == []
    by_gpu = {
        (row["syntax"], row["predictor"], row["tables_first"])
        for row in result["rows"]
        if row["took"] == "gpu"
    }
    assert by_gpu == {
        *(("j2k", None, False), ("htj2k", None, False), ("jpeg_lossless", 1, False)),
        *(("jpeg_sv1", 1, False), ("jpeg_sv1", 1, True)),
    }
    assert {row["took"] for row in result["rows"]} == {"gpu", "cpu"}


@pytest.mark.usefixtures("emulated")
def test_exactness_of_dali_alone(found, monkeypatch):
    rows = found(exactness.measure_bare)["rows"]
    assert {row["outcome"] for row in rows} == {"exact"}
    assert {row["predictor"] for row in rows} == {None, *range(1, 8)}
    zeros = partial(EmulatedDali, lambda info, values: values * 0)
    monkeypatch.setattr(exactness, "new_dali", lambda _: zeros())
    assert {row["outcome"] for row in found(exactness.measure_bare)["rows"]} == {"zeros"}


@pytest.mark.usefixtures("emulated")
def test_twins(found, monkeypatch):
    recipes = (
        Recipe("plain", resize=SMALL),
        Recipe("min-max", stretch=StretchSettings("percentiles"), resize=SMALL),
        Recipe("bfloat16", resize=ResizeSettings(size=(24, 48), channels=3, dtype="bfloat16")),
    )
    monkeypatch.setattr(twins, "RECIPES", recipes)
    result = found(twins.measure)
    assert list(result) == [recipe.name for recipe in recipes]
    for row in result.values():
        assert row == {"window_differs": 0, "boxes_differ": 0, "apart": 0.0}


@pytest.mark.usefixtures("emulated")
def test_twins_that_differ_are_seen(found, monkeypatch):
    monkeypatch.setattr(twins, "RECIPES", (Recipe("plain", resize=SMALL),))
    true_to_device = twins.to_device

    def off_by_one(image):
        pixels = true_to_device(image)
        pixels.values[5, 5] = 0xFFF0 - int(pixels.values[5, 5])
        return pixels

    monkeypatch.setattr(twins, "to_device", off_by_one)
    row = found(twins.measure)["plain"]
    assert row["window_differs"] > 0
    assert row["apart"] > 0


# OpenJPH's errors inside a codestream become such a warning.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.usefixtures("emulated")
def test_isolation(found):
    result = found(isolation.measure)
    assert len(result) == len(COMPRESSED) * len(isolation.DAMAGES)
    for name, row in result.items():
        assert row["others_exact"], name
        assert row["context_alive"]
        assert row["dali_alone"] in {"refused", "gave a picture"}
    assert result["jpeg_sv1 truncated"]["in_batch"] == "E_TRUNCATED"
    assert result["htj2k truncated"]["reader"] == "E_TRUNCATED"
    assert result["j2k noise_inside"]["reader"] == "passes"
    assert result["j2k garbage"]["alone"].startswith("E_")
    assert result["j2k garbage"]["dali_alone"] == "refused"


@pytest.mark.usefixtures("emulated")
def test_throughput(found, monkeypatch):
    monkeypatch.setattr(throughput, "_IMAGES", 4)
    monkeypatch.setattr(throughput, "_IMAGES_ONE_BY_ONE", 2)
    result = found(throughput.measure)
    assert len(result) == len(COMPRESSED) * len(throughput.SETTINGS)
    assert all(row["img_s"]["median"] > 0 for row in result.values())
    assert result["j2k batch 8 threads 8"]["mp"] == 0.0


@pytest.mark.usefixtures("emulated")
def test_loader_and_its_scan(found, monkeypatch):
    monkeypatch.setattr(loader_rates, "_IMAGES", 4)
    monkeypatch.setattr(loader_rates, "_OPTIONS", {"batch": [0, 2], "readers": [2, 1]})
    result = found(loader_rates.measure)
    assert [trial["batch"] for trial in result["scan"]][:2] == [0, 2]
    assert len(result["scan"]) == 3
    for syntax in COMPRESSED:
        row = result[syntax]
        assert row["share"]["min"] <= row["share"]["median"] <= row["share"]["max"]


class Clock:
    """Stands in for an event of CUDA's; a millisecond passes between two of them."""

    def __init__(self, **_):
        self.at = 0.0

    now = 0.0

    def record(self):
        Clock.now += 1.0
        self.at = Clock.now

    def elapsed_time(self, end):
        return end.at - self.at


@pytest.mark.usefixtures("emulated")
def test_kernels(found, monkeypatch):
    monkeypatch.setattr(torch.cuda, "Event", Clock)
    for name in ("synchronize", "_sleep"):
        monkeypatch.setattr(torch.cuda, name, lambda *_: None)
    monkeypatch.setattr(kernels, "IMAGES", 2)
    monkeypatch.setattr(kernels, "_COPY_BYTES", 500_000)
    recipes = (
        Recipe("default", resize=SMALL),
        Recipe("percentiles", stretch=StretchSettings("percentiles", 1, 99), resize=SMALL),
    )
    monkeypatch.setattr(kernels, "_RECIPES", recipes)
    result = found(kernels.measure)
    assert result["copy_gb_s"] == 1.0  # a million bytes in a millisecond
    plain = result["default"]
    assert plain.keys() == {"window", "block_means", "find_breast", "resize", "all_us"}
    assert plain["all_us"] == 4 * 1000 / 2
    assert plain["window"] == {
        "us_per_image": 500.0,
        "gb_s": 0.1065,  # 2 x 128 x 104 px of 4 bytes
        "share_of_copy": 0.1065,
    }
    assert result["percentiles"].keys() > {"histogram", "find_ranks", "stretch"}
    assert result["proof"]["count_bits"]["gb_s"] == 0.05325


def test_bytes_of_kernels_by_hand():
    recipe = Recipe("x", resize=ResizeSettings(size=(4, 5), channels=3, dtype="bfloat16"))
    moved = kernels.bytes_moved(1000, 600, recipe, 2)
    assert moved["window"] == 4000
    assert moved["block_means"] == 2000
    assert moved["resize"] == 1200 + 2 * 3 * 4 * 5 * 2


@pytest.mark.usefixtures("emulated")
def test_memory(found, monkeypatch):
    free = iter(range(3000 << 20, 0, -(1 << 20)))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda: (next(free), 4000 << 20))
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda: None)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda: 7 << 20)
    monkeypatch.setattr(memory, "_IMAGES", 2)
    result = found(memory.measure)
    assert result["context_mib"] == 1000
    assert result["j2k"] == {
        "peak_mib": 1005,  # one look at each of five epochs, of one batch
        "above_context_mib": 5,
        "torch_peak_mib": 7,
        "by_epoch_mib": [1001, 1002, 1003, 1004, 1005],
    }


@pytest.mark.usefixtures("emulated")
def test_overlap(found, monkeypatch):
    monkeypatch.setattr(Job, "torch_device", property(lambda _: torch.device("cpu")))
    monkeypatch.setattr(overlap, "MODEL", "test_resnet")
    monkeypatch.setattr(overlap, "_IMAGES", 4)
    result = found(overlap.measure)
    assert list(result) == ["train", "raw", *COMPRESSED]
    assert result["raw"]["slowdown"] < 1
    assert result["j2k"]["over_serial"] > 0


def test_streaming_over_serial_by_hand():
    assert overlap.over_serial(50, 100, 100) == 1  # as if one followed the other
    assert overlap.over_serial(100, 100, 100) == 2
    assert overlap.over_serial(80, 400, 100) == 1


@pytest.mark.usefixtures("emulated")
def test_a_rank_gives_its_share(tiny, monkeypatch):
    monkeypatch.setattr(ranks, "_IMAGES", 5)
    monkeypatch.setattr(ranks, "BATCH", 2)
    place = {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    (answer,) = ranks.run_rank(tiny)
    assert answer["indices"] == [0, 1, 2, 3, 4]
    assert answer["wall_s"] > 0


# ---- the frame ---------------------------------------------------------------------------------


def test_an_error_keeps_what_was_found_before_it(tiny, tmp_path):
    def run(name, given, note):
        note("first", 1)
        raise ValueError(f"{name} on {given.size}")

    out = tmp_path / "found.json"
    sections.record("twins", tiny, out, run)
    result = json.loads(out.read_text())
    assert result["first"] == 1
    assert result["error"] == "ValueError: twins on (128, 104)"
    assert result["seconds"] >= 0


def test_a_process_that_dies_or_takes_too_long_is_an_error(tiny, tmp_path):
    absent = Inputs(tmp_path / "absent")
    assert sections.run_apart("twins", absent, 60)["error"].startswith("it ended with status 1:")
    assert sections.run_apart("twins", tiny, 0.01) == {"error": "it took more than 0 s"}


def test_a_section_that_fails_does_not_stop_the_others(tiny, monkeypatch):
    monkeypatch.setattr(gpu_report, "make_images", lambda _: None)
    seen = []

    def run_one(name, given, limit_s):
        assert limit_s <= sections.SECTIONS[name][2]
        return {"error": "no"} if name == "twins" else {"img_s": {"median": 2.0}}

    names = ["twins", "spr"]
    document = gpu_report.run(tiny, names, lambda d: seen.append(len(d["sections"])), run_one)
    assert document["sections"] == {"twins": {"error": "no"}, "spr": {"img_s": {"median": 2.0}}}
    assert seen == [1, 2]
    assert document["machine"]["commit"] is not None
    assert "twins failed: no" in list(gpu_report.lines(document))


def test_no_section_begins_when_the_time_is_over(tiny, monkeypatch):
    monkeypatch.setattr(gpu_report, "make_images", lambda _: time.sleep(0.01))
    document = gpu_report.run(tiny, ["spr"], lambda _: None, budget_s=0.001)
    assert "no time is left" in document["sections"]["spr"]["error"]


def test_every_section_is_a_function():
    for name, (module, function, limit_s) in sections.SECTIONS.items():
        __import__(f"benchmarks.gpu.{module}")
        assert callable(getattr(sys.modules[f"benchmarks.gpu.{module}"], function)), name
        assert limit_s > 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu_it_says_so_in_one_sentence(monkeypatch):
    from dali_pipelines.errors import DeviceError

    monkeypatch.setattr(sys, "argv", ["gpu_report"])
    with pytest.raises(DeviceError, match="the GPU report needs a GPU") as caught:
        gpu_report.main()
    assert caught.value.exit_code == 4
    assert "\n" not in str(caught.value)


# ---- the table ---------------------------------------------------------------------------------

FOUND = {
    "loader": {
        "j2k": {"share": {"median": 0.9}, "loader_img_s": {"median": 100.0}},
        "htj2k": {"share": {"median": 0.899}, "loader_img_s": {"median": 500.0}},
        "jpeg_sv1": {"share": {"median": 0.95}, "loader_img_s": {"median": 200.0}},
    },
    "kernels": {
        "default": {"all_us": 100.0, "resize": {"share_of_copy": 0.61}},
        "proof": {"all_us": 25.0},
    },
    "spr": {"img_s": {"median": 2.0}},
    "overlap": {"raw": {"slowdown": 0.11}, "j2k": {"over_serial": 1.25}},
}


def test_the_table_by_hand():
    table = {row["name"]: row for row in judge_all(FOUND)}
    assert len(table) == len(TARGETS)
    values = {name: (row["value"], row["met"]) for name, row in table.items()}
    assert values == {
        "loader / bare decoder, j2k": (0.9, True),
        "loader / bare decoder, htj2k": (0.899, False),
        "loader / bare decoder, jpeg_sv1": (0.95, True),
        "kernels' share of the time, j2k": (0.01, True),
        "kernels' share of the time, htj2k": (0.05, True),
        "kernels' share of the time, jpeg_sv1": (0.025, True),
        "resize's share of the copy bandwidth": (0.61, True),
        "J2K loader / SPR winner on one core": (50.0, True),
        "streaming / one after the other, j2k": (1.25, True),
        "streaming / one after the other, htj2k": (None, None),
        "streaming / one after the other, jpeg_sv1": (None, None),
        "slowdown of the step by decoded input": (0.11, False),
    }


def test_a_table_without_figures_has_none():
    assert {row["value"] for row in judge_all({"loader": {"error": "no"}})} == {None}


def test_the_lines_say_what_is_met():
    text = "\n".join(gpu_report.lines({"targets": judge_all(FOUND), "sections": {}}))
    assert "0.899  at least 0.9: NOT MET" in text
    assert "-  at least 1: not measured" in text
