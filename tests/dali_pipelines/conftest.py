"""Encoded images without a file, for the steps between reader and tensor."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from dali_pipelines.codestream import bare_codestream, read_stream_info
from dali_pipelines.phantom.encode import SYNTAXES, encode_frame
from dali_pipelines.records import (
    Encoded,
    Grayscale,
    ImageRecord,
    ImageTags,
    Location,
    StreamInfo,
)

TEXT_TAGS = [f.name for f in dataclasses.fields(ImageTags) if f.type is str or f.type == "str"]
EncodedOf = Callable[..., Encoded]


@pytest.fixture(scope="session")
def noise() -> Callable[..., np.ndarray]:
    """noise(precision, shape) -> values over the whole range of that precision."""

    def make(precision: int, shape: tuple[int, int] = (37, 29), seed: int = 0) -> np.ndarray:
        values = np.random.default_rng(seed).integers(0, 1 << precision, shape).astype(np.uint16)
        values[0, 0], values[-1, -1] = 0, (1 << precision) - 1
        return values

    return make


@pytest.fixture(scope="session")
def encoded_of() -> EncodedOf:
    """encoded_of(values, syntax, precision) -> Encoded, as the reader would give it."""

    def make(values: np.ndarray, syntax: str, precision: int, predictor: int = 1) -> Encoded:
        data = encode_frame(values, precision, syntax, predictor=predictor)
        height, width = values.shape
        if syntax in {"raw", "rle"}:
            stream = StreamInfo(syntax, height, width, 1, precision, signed=False)
        else:
            stream = read_stream_info(data)
            data = bytes(bare_codestream(memoryview(data), stream))
        allocated = 8 if precision <= 8 else 16
        tags = ImageTags(
            **dict.fromkeys(TEXT_TAGS, ""),
            view_modifiers=(),
            implant=None,
            age_years=None,
            rows=height,
            columns=width,
            bits_allocated=allocated,
            bits_stored=precision,
            high_bit=precision - 1,
            signed=False,
            spacing_mm=None,
        )
        tags = dataclasses.replace(tags, transfer_syntax_uid=SYNTAXES[syntax])
        record = ImageRecord(
            image_id=f"{syntax}-{precision}",
            tags=tags,
            location=Location("memory", "", "range", ((0, len(data)),), len(data), 0),
            stream=stream,
            grayscale=Grayscale(bits=stream.precision, bits_stored=precision),
        )
        return Encoded(np.frombuffer(data, np.uint8), record)

    return make
