"""A decoder that dies, hangs or refuses costs one sample; the next one is decoded."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dali_pipelines.isolation import IsolatedDecoder
from dali_pipelines.verdicts import Reason, RejectError

HARMFUL = """
import os, resource, time
from dali_pipelines.cpu.decode import decode
from dali_pipelines.verdicts import Reason, RejectError
def harmful(encoded):
    first = int(encoded.data[0])
    if first == 1: os.abort()
    if first == 2: time.sleep(60)
    if first == 3: raise RejectError(Reason.IO, str(resource.getrlimit(resource.RLIMIT_CORE)))
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


def starting_with(first: int, noise: Callable) -> np.ndarray:
    values = noise(8)
    values[0, 0] = first
    return values


def test_a_dying_decoder_leaves_no_core_file(
    harmful: str, noise: Callable, encoded_of: Callable
) -> None:
    """It would hold what the decoder read, which is a patient's."""
    decoder = IsolatedDecoder(harmful)
    try:
        with pytest.raises(RejectError, match=r"\(0, 0\)"):
            decoder.decode(encoded_of(starting_with(3, noise), "raw", 8))
    finally:
        decoder.close()


def test_a_dying_and_a_hanging_decoder_cost_their_sample_only(
    harmful: str, noise: Callable, encoded_of: Callable
) -> None:
    decoder = IsolatedDecoder(harmful, timeout_s=15)
    try:
        good = starting_with(9, noise)
        assert np.array_equal(decoder.decode(encoded_of(good, "raw", 8)).values, good)
        with pytest.raises(RejectError) as caught:
            decoder.decode(encoded_of(starting_with(1, noise), "raw", 8))
        assert caught.value.reason is Reason.DECODER_CRASH
        assert "status -6" in caught.value.detail
        assert np.array_equal(decoder.decode(encoded_of(good, "raw", 8)).values, good)
        decoder.timeout_s = 0.2
        with pytest.raises(RejectError) as caught:
            decoder.decode(encoded_of(starting_with(2, noise), "raw", 8))
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
