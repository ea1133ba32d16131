"""Our lossless JPEG encoder against a stream worked by hand and three decoders of other hands."""

from collections.abc import Callable

import imagecodecs
import numpy as np
import pytest

from dali_pipelines.errors import ConfigError
from dali_pipelines.phantom.huffman import build_table
from dali_pipelines.phantom.lossless_jpeg import LosslessJpeg, differences, encode_lossless

SHAPE = (23, 31)
DECODERS = ("jpeg8_decode", "ljpeg_decode", "jpegsof3_decode")  # libjpeg-turbo, liblj92, jpegsof3


def noise(full: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, full + 1, SHAPE)


def extremes(full: int) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 2, SHAPE) * full


def smooth(full: int) -> np.ndarray:
    steps = np.random.default_rng(3).integers(-2, 3, SHAPE)
    return np.clip(full // 2 + np.cumsum(steps, axis=1), 0, full)


def constant(full: int) -> np.ndarray:
    return np.full(SHAPE, full)


@pytest.mark.parametrize("picture", [noise, extremes, smooth, constant])
@pytest.mark.parametrize("precision", [2, 8, 9, 10, 12, 14, 15, 16])
@pytest.mark.parametrize("predictor", range(1, 8))
def test_three_decoders_give_the_values_back(
    predictor: int, precision: int, picture: Callable[[int], np.ndarray]
) -> None:
    values = picture((1 << precision) - 1).astype(np.uint16)
    settings = LosslessJpeg(precision, predictor, tables_first=bool(predictor % 2))
    stream = encode_lossless(values, settings)
    for name in DECODERS:
        np.testing.assert_array_equal(getattr(imagecodecs, name)(stream), values, err_msg=name)


def test_a_stream_of_four_pixels_equals_the_one_worked_by_hand() -> None:
    # 5 from 8 (half of 2^4): -3; 7 from 5: 2; 6 from the 5 above: 1; 6 from 6: 0. Categories 2 2 1
    # 0, so codes 0 (2), 10 (1), 110 (0): 000 010 101 110, then 1 bits: 0a ef.
    stream = encode_lossless(np.array([[5, 7], [6, 6]], np.uint16), LosslessJpeg(4))
    assert stream.hex(" ") == (
        "ff d8 "
        "ff c3 00 0b 04 00 02 00 02 01 01 11 00 "
        "ff c4 00 16 00 01 01 01 00 00 00 00 00 00 00 00 00 00 00 00 00 02 01 00 "
        "ff da 00 08 01 01 00 01 00 00 "
        "0a ef "
        "ff d9"
    )


def test_tables_first_only_swaps_two_segments() -> None:
    values = noise(4095).astype(np.uint16)
    frame_first = encode_lossless(values, LosslessJpeg(12))
    tables_first = encode_lossless(values, LosslessJpeg(12, tables_first=True))
    assert tables_first[2:4] == b"\xff\xc4"
    frame, tables = frame_first[2:15], tables_first[2 : tables_first.index(b"\xff\xc3")]
    assert frame_first.replace(frame + tables, tables + frame) == tables_first


# Px by hand for Ra = 10, Rb = 7, Rc = 4 and for Ra = 3, Rb = 4, Rc = 9: halves are rounded down.
@pytest.mark.parametrize(
    ("predictor", "rising", "falling"),
    [(1, 10, 3), (2, 7, 4), (3, 4, 9), (4, 13, -2), (5, 11, 0), (6, 10, 1), (7, 8, 3)],
)
def test_predictors_combine_the_neighbors(predictor: int, rising: int, falling: int) -> None:
    for (left, above, corner), predicted in (((10, 7, 4), rising), ((3, 4, 9), falling)):
        values = np.array([[corner, above], [left, 20]], np.uint16)
        found = differences(values, 8, predictor)
        assert found[1, 1] == 20 - predicted
        assert found[0, 0] == (corner - 128) % 65536
        assert found[0, 1] == (above - corner) % 65536
        assert found[1, 0] == (left - corner) % 65536


def test_a_difference_of_minus_32768_takes_category_16_without_extra_bits() -> None:
    values = np.array([[0, 32768, 0, 32768]], np.uint16)  # the first is 32768 below its prediction
    assert differences(values, 16, 1).tolist() == [[32768] * 4]
    stream = encode_lossless(values, LosslessJpeg(16))
    assert stream.endswith(b"\x0f\xff\xd9")  # four codes "0", no more, and four bits to fill up
    for name in DECODERS:
        np.testing.assert_array_equal(getattr(imagecodecs, name)(stream), values, err_msg=name)


def test_a_byte_ff_within_the_data_is_stuffed() -> None:
    stream = encode_lossless(noise(65535).astype(np.uint16), LosslessJpeg(16))
    data = stream[stream.index(b"\xff\xda") + 10 : -2]
    after = {data[i + 1] for i in range(len(data) - 1) if data[i] == 0xFF}
    assert after == {0}


@pytest.mark.parametrize(("occurring", "longest"), [(15, 15), (16, 16), (17, 11)])
def test_no_code_is_longer_than_16_bits_or_all_ones(occurring: int, longest: int) -> None:
    # Counts 1 1 2 3 5 ... make Huffman's tree, with the symbol kept from use, `occurring` deep: at
    # 17 it has to be made flatter.
    counts = [1, 1]
    while len(counts) < occurring:
        counts.append(counts[-1] + counts[-2])
    patterns = [0] + [1 << (category - 1) for category in range(1, occurring)]
    table = build_table(np.repeat(np.array(patterns, np.uint16), counts))
    used = table.lengths[table.lengths > 0]
    assert (used.size, used.max()) == (occurring, longest)
    assert sum(2.0 ** -int(length) for length in used) == 1 - 2.0**-longest  # one code left over
    codes = table.codes[table.lengths > 0]
    assert all(code < (1 << n) - 1 for code, n in zip(codes, used.tolist(), strict=True))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 2), (300, 500)])
def test_odd_shapes_and_more_than_one_strip(shape: tuple[int, int]) -> None:
    values = np.random.default_rng(4).integers(0, 1 << 14, shape).astype(np.uint16)
    stream = encode_lossless(values, LosslessJpeg(14, 7))
    for name in DECODERS:
        np.testing.assert_array_equal(getattr(imagecodecs, name)(stream), values, err_msg=name)


@pytest.mark.parametrize("rows", [1, 2, 7])
@pytest.mark.parametrize("predictor", [1, 4, 7])
def test_restarts(rows: int, predictor: int) -> None:
    values = noise(4095).astype(np.uint16)
    stream = encode_lossless(values, LosslessJpeg(12, predictor, restart_rows=rows))
    np.testing.assert_array_equal(imagecodecs.jpeg8_decode(stream), values)
    markers = [stream.count(bytes([0xFF, 0xD0 + n])) for n in range(8)]
    assert sum(markers) == -(-SHAPE[0] // rows) - 1


@pytest.mark.parametrize("change", [{"precision": 1}, {"precision": 17}, {"predictor": 0}])
def test_settings_out_of_range_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(ConfigError):
        LosslessJpeg(**{"precision": 12, **change})


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match="4096 does not fit in 12 bits"):
        encode_lossless(np.array([[4096]], np.uint16), LosslessJpeg(12))
    with pytest.raises(ConfigError, match="not 0 x 3"):
        encode_lossless(np.zeros((0, 3), np.uint16), LosslessJpeg(12))
    with pytest.raises(ConfigError, match="65,535 samples"):
        encode_lossless(np.zeros((200, 700), np.uint16), LosslessJpeg(12, restart_rows=100))
