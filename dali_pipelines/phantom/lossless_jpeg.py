"""A grayscale image as a lossless JPEG codestream (SOF3), with any predictor and precision.

No library that we depend on writes predictors 2-7, and vendors do. NumPy throughout: no loop runs
over pixels. Source: ITU-T T.81, annexes B (markers) and H (lossless mode).
"""

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.errors import ConfigError
from dali_pipelines.phantom.huffman import build_table, pack

SOI, EOI, SOF3, DHT, DRI, SOS, RST0 = 0xD8, 0xD9, 0xC3, 0xC4, 0xDD, 0xDA, 0xD0


@dataclass(frozen=True, slots=True)
class LosslessJpeg:
    """How to write the stream.

    `precision` 2..16 bits and `predictor` 1..7 go into SOF3 and SOS. `tables_first` puts DHT
    before SOF3, as several vendors do. `restart_rows` > 0 restarts the coder after so many rows.
    """

    precision: int
    predictor: int = 1
    tables_first: bool = False
    restart_rows: int = 0

    def __post_init__(self) -> None:
        if not 2 <= self.precision <= 16:
            raise ConfigError(f"lossless JPEG has 2 to 16 bits, not precision={self.precision}")
        if not 1 <= self.predictor <= 7:
            raise ConfigError(f"lossless JPEG has predictors 1 to 7, not {self.predictor}")


def encode_lossless(values: NDArray[np.uint16], settings: LosslessJpeg) -> bytes:
    """The complete codestream of values (H, W), SOI to EOI."""
    height, width = values.shape
    if max(values.shape) > 0xFFFF or not values.size:
        raise ConfigError(f"JPEG holds 1 to 65,535 rows and columns, not {height} x {width}")
    if int(values.max()) >> settings.precision:
        raise ConfigError(f"value {values.max()} does not fit in {settings.precision} bits")
    rows = settings.restart_rows or height
    if settings.restart_rows * width > 0xFFFF:
        raise ConfigError(f"restart_rows={rows} at {width} columns is above 65,535 samples")
    blocks = [
        differences(values[top : top + rows], settings.precision, settings.predictor)
        for top in range(0, height, rows)
    ]
    table = build_table(np.concatenate(blocks))
    frame = _segment(SOF3, struct.pack(">BHHB3B", settings.precision, height, width, 1, 1, 0x11, 0))
    tables = _segment(DHT, table.segment())
    parts = [_marker(SOI), *((tables, frame) if settings.tables_first else (frame, tables))]
    if settings.restart_rows:
        parts.append(_segment(DRI, struct.pack(">H", rows * width)))
    parts.append(_segment(SOS, bytes([1, 1, 0, settings.predictor, 0, 0])))
    for index, block in enumerate(blocks):
        if index:
            parts.append(_marker(RST0 + (index - 1) % 8))
        parts.append(pack(block, table).replace(b"\xff", b"\xff\x00"))
    return b"".join([*parts, _marker(EOI)])


def differences(values: NDArray[np.uint16], precision: int, predictor: int) -> NDArray[np.uint16]:
    """Sample minus prediction modulo 2^16, (H, W) uint16.

    The first sample is predicted by 2^(precision - 1), the rest of the first row by the sample to
    the left, the first column by the sample above (T.81 H.1.2.1).
    """
    predicted = np.empty_like(values)
    predicted[0, 0] = 1 << (precision - 1)
    predicted[0, 1:] = values[0, :-1]
    predicted[1:, 0] = values[:-1, 0]
    left, above, corner = values[1:, :-1], values[:-1, 1:], values[:-1, :-1]
    predicted[1:, 1:] = _predict(left, above, corner, predictor)
    return values - predicted  # uint16 wraps, which is the modulo that the standard asks for


def _predict(
    a: NDArray[np.uint16], b: NDArray[np.uint16], c: NDArray[np.uint16], predictor: int
) -> NDArray[np.uint16]:
    """Ra (left), Rb (above) and Rc (corner) combined; halves round down (T.81 table H.1)."""
    if predictor <= 3:
        return (a, b, c)[predictor - 1]
    if predictor == 4:
        return a + b - c
    wide_a, wide_b = a.astype(np.int32), b.astype(np.int32)
    if predictor == 5:
        half = wide_a + ((wide_b - c) >> 1)
    elif predictor == 6:
        half = wide_b + ((wide_a - c) >> 1)
    else:
        half = (wide_a + wide_b) >> 1
    return half.astype(np.uint16)


def _marker(code: int) -> bytes:
    return bytes([0xFF, code])


def _segment(code: int, payload: bytes) -> bytes:
    return _marker(code) + struct.pack(">H", len(payload) + 2) + payload
