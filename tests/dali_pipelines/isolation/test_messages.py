"""What goes to a decoder process comes back equal, and nothing it sends does more than inform."""

import dataclasses
import json
from collections.abc import Callable

import numpy as np
import pytest

from dali_pipelines.isolation.messages import (
    ANSWER_BYTES,
    Request,
    Shape,
    read_answer,
    read_request,
    write_answer,
    write_request,
)
from dali_pipelines.pixel_settings import DecodeSettings, ResizeSettings
from dali_pipelines.recipe import Recipe, load_recipe, recipe_names
from dali_pipelines.records import Grayscale, ImageRecord, Lut, StreamInfo, Window
from dali_pipelines.stages import Pixels
from dali_pipelines.verdicts import Reason, RejectError
from dali_pipelines.voi_settings import Voi

STREAM = StreamInfo("j2k", 41, 30, 1, 12, signed=False)
LUT = Lut(-5, 12, bytes(range(256)) * 8)


def test_a_request_is_equal_in_every_field(record_of: Callable[..., ImageRecord]) -> None:
    plain = record_of(path="/\udcff Müller/a.dcm", view_modifiers=("ID", "S"), implant=True)
    gray = Grayscale(12, 11, True, 0.1, -3.5, LUT, "SIGMOID", (Window(1.5, float("inf")),), (LUT,))
    tags = dataclasses.replace(plain.tags, spacing_mm=(0.07, 0.08), age_years=61, frame=3)
    record = dataclasses.replace(plain, tags=tags, grayscale=gray, flags=("sc", "implant"))
    recipe = Recipe(
        "any", DecodeSettings("auto"), Voi(pick=3), resize=ResizeSettings((9, 7), mean=0.1)
    )
    for sizes in ((), (1000, 7)):
        request = Request(record, recipe, 1007, sizes)
        assert read_request(write_request(request)) == request


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_arrives_as_it_is(name: str, record_of: Callable[..., ImageRecord]) -> None:
    request = Request(record_of(), load_recipe(name), 0, ())
    assert read_request(write_request(request)) == request


def test_an_absent_table_stays_absent(record_of: Callable[..., ImageRecord]) -> None:
    request = Request(record_of(), Recipe("any"), 0, ())
    found = read_request(write_request(request))
    assert found == request
    assert found.record.grayscale.modality_lut is None
    assert found.recipe.hash == request.recipe.hash


def test_answers_come_back() -> None:
    assert read_answer(write_answer(Pixels(np.zeros((41, 30)))), STREAM) == Shape(41, 30, 0, 0)
    reduced = write_answer(Pixels(np.zeros((11, 8)), 4, 2))
    assert read_answer(reduced, STREAM) == Shape(11, 8, 4, 2)
    reject = read_answer(write_answer(RejectError(Reason.CORRUPT, "a ü b")), STREAM)
    assert isinstance(reject, RejectError)
    assert (reject.reason, reject.detail) == (Reason.CORRUPT, "a ü b")


def test_an_answer_fits_into_one_write_whatever_it_says() -> None:
    assert len(write_answer(RejectError(Reason.CORRUPT, "\U0001f600" * 5000))) <= 2 * ANSWER_BYTES
    assert len(write_answer(RejectError(Reason.CORRUPT, "\x00ü" * 5000))) <= ANSWER_BYTES


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x80\x04K\x01.",  # a pickle
        b"ready",
        b"[" * ANSWER_BYTES,
        b"[41, 30, 0",
        b"[41, 30, 0]",
        b"[41, 30, 0, 0, 0]",
        b"[41, 31, 0, 0]",  # more than the shared memory was made for
        b"[30, 41, 0, 0]",
        b"[-41, 30, 0, 0]",
        b"[41.0, 30, 0, 0]",
        b"[41, 30, 16, 0]",
        b"[41, 30, -1, 0]",
        b"[41, 30, 0, -1]",
        b"[41, 30, 0, 1]",
        b"[21, 15, 0, 99999999999999]",
        b'["E_NONSENSE", "detail"]',
        b'["E_CORRUPT", 7]',
        b'{"reason": "E_CORRUPT"}',
        b"null",
        b"\xff\xfe\xfd",
    ],
)
def test_anything_else_is_no_answer(answer: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - JSON's own is one
        read_answer(answer, STREAM)


def test_a_long_detail_is_cut() -> None:
    reject = read_answer(json.dumps(["E_CORRUPT", "x" * 3000]).encode(), STREAM)
    assert isinstance(reject, RejectError)
    assert len(reject.detail) == 500
