"""How many wavelet levels a stream can do without, on codestreams built by hand (T.800 annex A)."""

import struct

import pytest

from dali_pipelines.codestream.levels import removable_levels
from dali_pipelines.verdicts import Reason, RejectError

SOC, SOD, EOC = b"\xff\x4f", b"\xff\x93", b"\xff\xd9"


def segment(marker: int, parameters: bytes) -> bytes:
    return struct.pack(">HH", marker, len(parameters) + 2) + parameters


def siz(
    size: tuple[int, int] = (60, 40),
    offset: tuple[int, int] = (0, 0),
    tile: tuple[int, int] = (1000, 1000),
) -> bytes:
    one_component = bytes([0, 1, 11, 1, 1])
    return segment(0xFF51, struct.pack(">H8I", 0, *size, *offset, *tile, 0, 0) + one_component)


def cod(levels: int) -> bytes:
    return segment(0xFF52, struct.pack(">BBHBBBBBB", 0, 0, 1, 0, levels, 4, 4, 0, 1))


def coc(levels: int) -> bytes:
    return segment(0xFF53, bytes([0, 0, levels, 4, 4, 0, 1]))


def part(header: bytes = b"", psot: int | None = None) -> bytes:
    length = 12 + len(header) + 9 if psot is None else psot
    return segment(0xFF90, struct.pack(">HIBB", 0, length, 0, 1)) + header + SOD + b"\xff\x52pack."


COM = segment(0xFF64, b"\0\1\xff\x52\xff\x90")


@pytest.mark.parametrize("levels", [0, 1, 5, 32])
def test_the_main_header_says_it(levels: int) -> None:
    assert removable_levels(SOC + siz() + COM + cod(levels) + part() + EOC) == levels


@pytest.mark.parametrize(
    "stream",
    [
        SOC + siz() + cod(5) + coc(2) + part() + EOC,
        SOC + siz() + cod(5) + part() + part(cod(2)) + part() + EOC,
        SOC + siz() + cod(5) + part(COM + coc(2)) + EOC,
        SOC + siz() + cod(5) + part() + part(cod(2), psot=0) + EOC,
    ],
    ids=["component", "tile", "component of a tile", "tile up to EOC"],
)
def test_the_fewest_levels_count(stream: bytes) -> None:
    assert removable_levels(stream) == 2


@pytest.mark.parametrize(
    ("tile", "levels"),
    [
        ((60, 40), 5),  # one tile: all that it has
        ((32, 40), 5),
        ((60, 24), 3),  # 24 = 8 x 3: the second row of tiles begins at 24 / 8 = 3
        ((12, 40), 2),
        ((12, 30), 1),
        ((59, 40), 0),  # the second tile is one column, which level 1 would leave without any
    ],
)
def test_no_tile_may_begin_between_two_px(tile: tuple[int, int], levels: int) -> None:
    assert removable_levels(SOC + siz(tile=tile) + cod(5) + part() + EOC) == levels


@pytest.mark.parametrize("offset", [(1, 0), (0, 8)])
def test_an_image_that_begins_elsewhere_has_none(offset: tuple[int, int]) -> None:
    assert removable_levels(SOC + siz(offset=offset) + cod(5) + part() + EOC) == 0


def test_without_cod_there_is_none() -> None:
    assert removable_levels(SOC + siz() + part() + EOC) == 0


def test_a_length_that_leads_back_does_not_hold_it_up() -> None:
    with pytest.raises(RejectError):
        removable_levels(SOC + siz() + cod(5) + part(psot=1) + EOC)


def test_a_stream_without_end_is_truncated() -> None:
    with pytest.raises(RejectError) as caught:
        removable_levels(SOC + siz() + cod(5) + part())
    assert caught.value.reason is Reason.TRUNCATED
