"""Text and gray scales in table cells: both ways exact."""

import base64
import json
import os
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dali_pipelines.columns import escape, grayscale_from_json, grayscale_to_json, unescape
from dali_pipelines.records import Grayscale, Lut, Window

SURROGATES = st.characters(min_codepoint=0xDC80, max_codepoint=0xDCFF, categories=["Cs"])


@given(st.text(alphabet=st.one_of(st.sampled_from("\\ud80fn/\n"), SURROGATES, st.characters())))
def test_any_file_name_comes_back(text: str) -> None:
    escaped = escape(text)
    escaped.encode("utf-8")
    assert unescape(escaped) == text


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("/data/é.dcm", "/data/é.dcm"),
        (os.fsdecode(b"/d/\xff.dcm"), "/d/\\udcff.dcm"),
        ("a\\udcff", "a\\\\udcff"),
    ],
)
def test_escapes_are_these(text: str, escaped: str) -> None:
    assert escape(text) == escaped
    assert unescape(escaped) == text


def test_a_grayscale_is_readable_json() -> None:
    lut = Lut(-5, 12, b"\x01\x00\xff\x0f")
    grayscale = Grayscale(
        bits=12,
        bits_stored=10,
        signed=True,
        slope=0.1,
        intercept=-1024,
        modality_lut=lut,
        function="SIGMOID",
        windows=(Window(2047.5, 4096),),
        voi_luts=(lut, Lut(0, 8, b"")),
        invert=True,
        padding=(-3, 7),
    )
    content = json.loads(grayscale_to_json(grayscale))
    assert content["slope"] == 0.1
    assert content["windows"] == [[2047.5, 4096.0]]
    assert content["padding"] == [-3, 7]
    assert zlib.decompress(base64.b64decode(content["modality_lut"]["data"])) == lut.data
    assert content["voi_luts"][1]["bits"] == 8
    assert grayscale_from_json(grayscale_to_json(grayscale)) == grayscale


def test_equal_grayscales_give_equal_text() -> None:
    one = grayscale_to_json(Grayscale(12, 12, slope=1, intercept=-0.0))
    assert grayscale_to_json(Grayscale(12, 12, slope=1.0, intercept=0)) == one
