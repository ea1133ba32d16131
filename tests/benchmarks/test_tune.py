"""The descent over loader settings, by hand-made rates, and a real one on tiny images."""

import dataclasses

import pytest

from benchmarks import tune
from benchmarks.tune import Bench, Trial, Tuning, choices, descend, find_images, trial_count
from dali_pipelines.errors import DatasetError
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.recipe import load_recipe

PLAIN = LoaderSettings()


def by(rate):
    """A measurement that gives rate(settings), and the list of what was asked."""
    asked = []

    def measure(settings):
        asked.append(settings)
        return Trial(settings, {"j2k": float(rate(settings))})

    return measure, asked


def test_what_helps_is_kept_and_varied_further():
    measure, _ = by(lambda s: 10 * (1 + (s.threads == 4)) * (1 + (s.readers == 8)))
    trials, best = descend(measure, {"threads": [0, 2, 4], "readers": [2, 8]})
    assert best == LoaderSettings(threads=4, readers=8)
    assert [(t.settings.threads, t.settings.readers) for t in trials] == [
        *((0, 2), (2, 2), (4, 2)),
        (4, 8),
    ]


def test_a_gain_within_the_noise_is_none():
    measure, _ = by(lambda s: 102 if s.threads else 100)
    assert descend(measure, {"threads": [0, 2]})[1] == PLAIN


def test_a_machine_that_becomes_faster_chooses_nothing():
    measure, asked = by(lambda _: 10 * 2 ** len(asked))
    assert descend(measure, {"threads": [0, 2, 4], "readers": [2, 8]})[1] == PLAIN
    assert asked.count(PLAIN) == 4  # at first, and after each that seemed better


def test_every_trial_is_told():
    options = {"threads": [0, 2, 4], "prefetch": [2, 1], "isolation": ["thread", "process"]}
    measure, _ = by(lambda _: 1)
    told = []
    descend(measure, options, told.append)
    assert len(told) == 5 == trial_count(options) - 2


def test_the_score_is_a_geometric_mean():
    assert Trial(PLAIN, {"j2k": 2.0, "jpeg_sv1": 8.0}).score == pytest.approx(4)


def tuning(after_img_s):
    best = LoaderSettings(threads=4, prefetch=4)
    return Tuning((), Trial(PLAIN, {"j2k": 10.0}), Trial(best, {"j2k": after_img_s}))


def test_what_is_to_be_set():
    assert tuning(12.0).gain == 1.2
    assert tuning(12.0).changes == {"threads": 4, "prefetch": 4}
    assert tuning(10.2).changes == {}


@pytest.mark.parametrize("cores", [1, 2, 6, 16, 64])
@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_all_that_is_tried_may_be_set(cores, device):
    options = choices(cores, 64, device)
    assert ("isolation" in options) is (device == "cpu")
    for name, values in options.items():
        assert values[0] == getattr(PLAIN, name)
        assert len(set(values)) == len(values)
        for value in values:
            dataclasses.replace(PLAIN, **{name: value})
    assert choices(cores, 8, device)["batch"] == [0]


@pytest.fixture
def small(monkeypatch, tmp_path):
    monkeypatch.setattr(tune, "SIZE", (128, 104))
    monkeypatch.setattr(tune, "COUNT", {"cpu": 3})
    return find_images((), "cpu", tmp_path)


def test_phantoms_in_two_syntaxes_or_files_as_they_are(small, tiny_dicom, tmp_path):
    assert {name: records[0].stream.kind for name, records in small.items()} == {
        "j2k": "j2k",
        "jpeg_sv1": "jpeg_lossless",
    }
    found = find_images((tiny_dicom,), "cpu", tmp_path)
    assert [record.stream.kind for record in found["stored"]] == ["jpegls"] * 3


def test_a_tuning_of_tiny_images(small):
    recipe = load_recipe("demo", ["resize.size=[64, 32]"])
    bench = Bench(small, recipe, "cpu", batch=2, repeats=1)
    told = []
    options = {"threads": [0, 1], "prefetch": [2, 1]}
    found = tune.tune(bench, options, told.append)
    assert len(told) == trial_count(options)
    assert len(found.trials) == 3
    assert found.before.img_s.keys() == {"j2k", "jpeg_sv1"}
    assert found.before.settings == PLAIN
    assert found.gain > 0


def test_an_image_that_gives_no_tensor_ends_it(small):
    gone = [
        dataclasses.replace(r, location=dataclasses.replace(r.location, path="/gone"))
        for r in small["j2k"]
    ]
    bench = Bench({"j2k": gone}, load_recipe("demo"), "cpu", repeats=1)
    with pytest.raises(DatasetError, match="3 of 3 images"):
        bench.trial(PLAIN)
