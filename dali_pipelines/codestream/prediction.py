"""What a lossless JPEG codes of an image: samples less what their neighbors predict (T.81 H.1.2.1).

All arithmetic is modulo 2^16, as the differences are, so 16 bits are enough for it.
"""

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.records import StreamInfo

_Samples = NDArray[np.uint16]


def differences(values: _Samples, block: slice, rows: int, info: StreamInfo) -> _Samples:
    """The differences (n, W) of rows `block` of `values` (H, W), which restart every `rows` rows.

    A row that begins a restart interval is predicted from the left, its first sample from the
    middle of the range. Elsewhere the first sample of a row is predicted from above.
    """
    top, first = block.start, -block.start % rows
    samples = values[max(top - 1, 0) : block.stop]
    if not top:  # an interval starts here, so any row will do above it
        samples = np.concatenate([samples[:1], samples])
    if info.point_transform:
        samples = samples >> np.uint16(info.point_transform)
    above, here = samples[:-1], samples[1:]
    result = np.empty_like(here)
    predicted = _predict(info.predictor, here[:, :-1], above[:, 1:], above[:, :-1])
    np.subtract(here[:, 1:], predicted, out=result[:, 1:])
    np.subtract(here[:, 0], above[:, 0], out=result[:, 0])
    starts = here[first::rows]
    np.subtract(starts[:, 1:], starts[:, :-1], out=result[first::rows, 1:])
    middle = np.uint16(1 << (info.precision - info.point_transform - 1))
    np.subtract(starts[:, 0], middle, out=result[first::rows, 0])
    return result


def _predict(predictor: int, left: _Samples, above: _Samples, corner: _Samples) -> _Samples:
    """Ra, Rb and Rc put together by the selection value in SOS, modulo 2^16 (T.81 table H.1)."""
    match predictor:
        case 1:
            predicted = left
        case 2:
            predicted = above
        case 3:
            predicted = corner
        case 4:
            predicted = left + above - corner
        case 5:
            predicted = left + _half_difference(above, corner)
        case 6:
            predicted = above + _half_difference(left, corner)
        case _:
            predicted = (left & above) + ((left ^ above) >> 1)  # half of left + above
    return predicted


def _half_difference(x: _Samples, y: _Samples) -> _Samples:
    """(x - y) >> 1 without a 17th bit: x - y is (x ^ y) less twice the bits that only y has."""
    return ((x ^ y) >> 1) - (~x & y)
