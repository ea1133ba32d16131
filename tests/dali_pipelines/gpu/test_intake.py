"""Which places of a batch go to the GPU, and how they are cut into calls of DALI."""

import dataclasses
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from dali_pipelines.gpu import intake
from dali_pipelines.gpu.canary import Canary
from dali_pipelines.gpu.intake import Intake
from dali_pipelines.pixel_settings import DecodeSettings
from dali_pipelines.routing import class_of
from dali_pipelines.stages import Encoded
from dali_pipelines.verdicts import Reason, RejectError


@pytest.fixture
def canary():
    return Canary(Counter())


@pytest.fixture
def new_intake(canary):
    with ThreadPoolExecutor(2) as pool:
        yield lambda sound=lambda: True: Intake(DecodeSettings(), canary, pool, sound)


@pytest.fixture
def item(noise, encoded_of):
    """item(syntax, maker, shape) -> a codestream of 12 bits."""

    def make(syntax="j2k", maker="Acme", shape=(10, 10)):
        encoded = encoded_of(noise(12, shape), syntax, 12)
        tags = dataclasses.replace(encoded.record.tags, manufacturer=maker)
        return Encoded(encoded.data, dataclasses.replace(encoded.record, tags=tags))

    return make


def places(shares):
    return [[frame.place for frame in share] for share in shares]


def test_places_keep_their_numbers(new_intake, item):
    error = RejectError(Reason.CORRUPT, "it is")
    batch = [None, item(), item("rle"), error, item("jpeg_sv1"), item("raw"), item("htj2k")]
    assert places(new_intake().take(batch)) == [[1, 4, 6]]
    assert new_intake().take([None, error]) == []


def test_a_banned_class_stays_out(new_intake, item, canary):
    canary.ban(item().record, "it lies")
    assert places(new_intake().take([item(), item(maker="Emca"), item("htj2k")])) == [[1, 2]]


def test_a_suspect_class_is_kept_apart(new_intake, item):
    found = new_intake()
    batch = [item(), item("htj2k"), item(), item("jpeg_sv1"), item("htj2k")]
    assert places(found.take(batch)) == [[0, 1, 2, 3, 4]]
    found.suspect([class_of(batch[1].record)])
    assert places(found.take(batch)) == [[0, 2, 3], [1, 4]]


def test_a_call_holds_so_many_images_and_pixels(new_intake, item, monkeypatch):
    monkeypatch.setattr(intake, "DALI_BATCH", 3)
    monkeypatch.setattr(intake, "DALI_PIXELS", 500)
    small, large = item(), item(shape=(30, 30))
    assert places(new_intake().take([small] * 4 + [large] + [small])) == [[0, 1, 2], [3], [4], [5]]


def test_nvjpeg_is_asked_once_and_for_lossless_jpeg_only(new_intake, item):
    asked = []
    found = new_intake(lambda: asked.append(1))
    assert places(found.take([item()])) == [[0]]
    assert not asked
    for _ in range(2):
        assert found.take([item("jpeg_sv1")] * 2) == []
    assert len(asked) == 1
