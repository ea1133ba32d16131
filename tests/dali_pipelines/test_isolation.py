"""A decoder that dies, hangs or refuses costs one sample; the next one is decoded."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dali_pipelines.isolation import IsolatedDecoder
from dali_pipelines.verdicts import Reason, RejectError

HARMFUL = """
import os, time
from dali_pipelines.cpu.decode import decode
def harmful(encoded):
    first = int(encoded.data[0])
    if first == 1: os.abort()
    if first == 2: time.sleep(60)
    return decode(encoded)
"""


@pytest.fixture
def harmful(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "harmful_decoder.py").write_text(HARMFUL)
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path)])
    return "harmful_decoder:harmful"


def test_values_are_those_of_the_same_decoder_here(noise: Callable, encoded_of: Callable) -> None:
    values = noise(12)
    decoder = IsolatedDecoder()
    try:
        for syntax in ("j2k", "jpeg_sv1"):
            assert np.array_equal(decoder.decode(encoded_of(values, syntax, 12)).values, values)
    finally:
        assert decoder.close() == 0


def test_a_dying_and_a_hanging_decoder_cost_their_sample_only(
    harmful: str, noise: Callable, encoded_of: Callable
) -> None:
    def starting_with(first: int) -> np.ndarray:
        values = noise(8)
        values[0, 0] = first
        return values

    decoder = IsolatedDecoder(harmful, timeout_s=15)
    try:
        good = starting_with(9)
        assert np.array_equal(decoder.decode(encoded_of(good, "raw", 8)).values, good)
        with pytest.raises(RejectError) as caught:
            decoder.decode(encoded_of(starting_with(1), "raw", 8))
        assert caught.value.reason is Reason.DECODER_CRASH
        assert "status -6" in caught.value.detail
        assert np.array_equal(decoder.decode(encoded_of(good, "raw", 8)).values, good)
        decoder.timeout_s = 0.2
        with pytest.raises(RejectError) as caught:
            decoder.decode(encoded_of(starting_with(2), "raw", 8))
        assert caught.value.reason is Reason.TIMEOUT
    finally:
        decoder.close()


def test_a_refusal_comes_back_with_its_reason(noise: Callable, encoded_of: Callable) -> None:
    encoded = encoded_of(noise(12), "raw", 12)
    short = type(encoded)(encoded.data[:10], encoded.record)
    decoder = IsolatedDecoder()
    try:
        with pytest.raises(RejectError) as caught:
            decoder.decode(short)
        assert caught.value.reason is Reason.TRUNCATED
    finally:
        decoder.close()
