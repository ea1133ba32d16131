"""Where stored values lie in what decoders give, for every value of every precision."""

from dataclasses import replace

import numpy as np
import pytest

from dali_pipelines.records import Grayscale
from dali_pipelines.stored_values import spread_shift, stored_patterns, stream_shift


@pytest.mark.parametrize("precision", range(8, 17))
def test_spread_values_shift_back_exactly(precision, record_of):
    """By DALI's rounding and by truncation, in float32 as it multiplies and exactly."""
    record = replace(record_of(precision=precision), grayscale=Grayscale(precision, precision))
    shift = spread_shift(record.stream)
    top = (1 << precision) - 1
    values = np.arange(top + 1)
    exact = (values * 2 * 65535 + top) // (2 * top)
    single = values.astype(np.float32) * np.float32(65535 / top)
    for spread in (exact, values * 65535 // top, np.rint(single)):
        assert np.array_equal(stored_patterns(spread.astype(np.uint16), shift, record), values)


@pytest.mark.parametrize(
    ("kind", "precision", "high_bit", "stored", "shift"),
    [
        ("j2k", 12, 11, 12, 0),
        ("j2k", 16, 11, 12, 0),  # room above
        ("j2k", 16, 15, 12, 4),  # hanging from bit 15
        ("jpeg_lossless", 14, 13, 12, 2),
        ("j2k", 12, 15, 12, 0),  # the codestream has no bits below
        ("raw", 16, 15, 12, 0),  # native values are shifted as they are read
        ("rle", 16, 15, 12, 0),
    ],
)
def test_values_that_hang_from_an_odd_high_bit(kind, precision, high_bit, stored, shift, record_of):
    record = record_of(kind=kind, precision=precision, high_bit=high_bit, bits_stored=stored)
    assert stream_shift(record) == shift


def test_patterns_have_nothing_above_or_below(record_of):
    record = record_of()
    assert record.grayscale.bits == 12
    cells = np.array([[0xF123, 0x0FFF]], np.uint16)
    assert stored_patterns(cells, 0, record).tolist() == [[0x123, 0xFFF]]
    assert stored_patterns(cells, 4, record).tolist() == [[0xF12, 0x0FF]]
    assert stored_patterns(cells, 0, record).dtype == np.uint16
