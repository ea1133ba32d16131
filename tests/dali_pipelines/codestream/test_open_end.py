"""Which JPEG 2000 streams leave their end open, and what is put behind the packets of any."""

from collections.abc import Callable

import numpy as np
import pytest

from dali_pipelines.codestream.open_end import ends_open, with_more
from tests.fuzz.tiles import encode_one, encode_tiles, join, split, untold


@pytest.fixture(scope="module")
def values(noise: Callable) -> np.ndarray:
    return noise(12, (128, 64))


def array(stream: bytes) -> np.ndarray:
    return np.frombuffer(stream, np.uint8)


def test_only_jpeg_2000_leaves_its_end_open(values: np.ndarray) -> None:
    header, parts = split(encode_one(values, 12))
    assert not ends_open(array(join(header, parts)), "j2k")
    assert ends_open(array(join(header, untold(parts))), "htj2k")
    assert not ends_open(array(join(header, untold(parts))), "jpegls")
    assert not ends_open(array(join(header, untold(parts))[:-2]), "j2k")  # damaged: for others


def test_more_bytes_change_lengths_and_nothing_else(values: np.ndarray) -> None:
    header, parts = split(encode_tiles(values, 12))
    longer = with_more(array(join(header, untold(parts)))).tobytes()
    new_header, new_parts = split(longer)
    assert new_header == header
    assert [part.body[: len(old.body)] for part, old in zip(new_parts, parts, strict=True)] == [
        old.body for old in parts
    ]
    assert {len(part.body) - len(old.body) for part, old in zip(new_parts, parts, strict=True)} == {
        32
    }
