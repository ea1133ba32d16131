"""Differences against the standard's rules, one sample at a time with Python's integers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dali_pipelines.codestream.prediction import differences
from dali_pipelines.records import StreamInfo


def info_of(image, precision=16, predictor=1, point_transform=0):
    return StreamInfo(
        "jpeg_lossless",
        *image.shape,
        components=1,
        precision=precision,
        signed=False,
        predictor=predictor,
        point_transform=point_transform,
    )


def all_rows(image, rows=None, **info):
    height = len(image)
    return differences(image, slice(0, height), rows or height, info_of(image, **info))


def by_the_standard(image, rows, info):
    """T.81 H.1.2.1 and table H.1."""
    x = [[int(value) >> info.point_transform for value in row] for row in image]
    result = np.empty(image.shape, np.uint16)
    for i, j in np.ndindex(image.shape):
        if i % rows == 0 and j == 0:
            predicted = 2 ** (info.precision - info.point_transform - 1)
        elif i % rows == 0:
            predicted = x[i][j - 1]
        elif j == 0:
            predicted = x[i - 1][j]
        else:
            a, b, c = x[i][j - 1], x[i - 1][j], x[i - 1][j - 1]
            choices = [a, b, c, a + b - c, a + (b - c) // 2, b + (a - c) // 2, (a + b) // 2]
            predicted = choices[info.predictor - 1]
        result[i, j] = (x[i][j] - predicted) % 65536
    return result


# Px by hand for Ra = 10, Rb = 7, Rc = 4 and for Ra = 3, Rb = 4, Rc = 9: halves are rounded down.
@pytest.mark.parametrize(
    ("predictor", "rising", "falling"),
    [(1, 10, 3), (2, 7, 4), (3, 4, 9), (4, 13, -2), (5, 11, 0), (6, 10, 1), (7, 8, 3)],
)
def test_predictors_combine_the_neighbors(predictor, rising, falling):
    for (left, above, corner), predicted in (((10, 7, 4), rising), ((3, 4, 9), falling)):
        image = np.array([[corner, above], [left, 20]], np.uint16)
        assert all_rows(image, predictor=predictor)[1, 1] == 20 - predicted


def test_edges_and_restarts():
    image = np.array([[130, 131], [5, 9], [100, 90]], np.uint16)
    found = all_rows(image, precision=8, predictor=7).view(np.int16)
    assert found[:, 0].tolist() == [2, 5 - 130, 95]  # from 128, then from above
    assert found[0, 1] == 1
    restarted = all_rows(image, rows=2, precision=8, predictor=7).view(np.int16)
    assert restarted[2].tolist() == [100 - 128, -10]  # from 128, then from the left
    assert np.array_equal(restarted[:2], found[:2])


def test_point_transform_drops_low_bits_before_anything_else():
    image = np.array([[129, 135]], np.uint16)  # 32 and 33 at two bits less, 32 is the middle
    assert all_rows(image, precision=8, point_transform=2).tolist() == [[0, 1]]


SAMPLES = st.sampled_from([0, 1, 2, 3, 32767, 32768, 65534, 65535]) | st.integers(0, 65535)


@settings(max_examples=150, deadline=None, derandomize=True, database=None)
@given(st.data(), st.integers(1, 6), st.integers(1, 6), st.integers(1, 7), st.integers(1, 7))
def test_any_samples_in_any_blocks(data, height, width, predictor, rows):
    values = data.draw(st.lists(SAMPLES, min_size=height * width, max_size=height * width))
    image = np.array(values, np.uint16).reshape(height, width)
    point_transform = data.draw(st.integers(0, 15))
    info = info_of(image, predictor=predictor, point_transform=point_transform)
    step = data.draw(st.integers(1, height))
    blocks = [slice(top, min(top + step, height)) for top in range(0, height, step)]
    found = np.concatenate([differences(image, block, rows, info) for block in blocks])
    assert np.array_equal(found, by_the_standard(image, rows, info))
