"""SIZ, CAP, COD and the walk over tile-parts, on codestreams built by hand (T.800 annex A)."""

import struct
from dataclasses import dataclass

import pytest

from dali_pipelines.codestream.j2k import measure, read_header
from dali_pipelines.codestream.markers import Extent
from dali_pipelines.verdicts import Reason, RejectError

SOC, EOC = b"\xff\x4f", b"\xff\xd9"


def segment(marker: int, parameters: bytes) -> bytes:
    return struct.pack(">HH", marker, len(parameters) + 2) + parameters


@dataclass(frozen=True)
class Siz:
    """SIZ of a stream; sizes are (x, y) as in the marker."""

    size: tuple[int, int] = (60, 40)
    offset: tuple[int, int] = (0, 0)
    tile: tuple[int, int] = (1000, 1000)
    tile_offset: tuple[int, int] = (0, 0)
    components: tuple[tuple[int, int, int], ...] = ((11, 1, 1),)
    rsiz: int = 0

    def write(self) -> bytes:
        numbers = (*self.size, *self.offset, *self.tile, *self.tile_offset)
        fixed = struct.pack(">H8IH", self.rsiz, *numbers, len(self.components))
        return segment(0xFF51, fixed + b"".join(bytes(c) for c in self.components))


def cod(transform: int = 1) -> bytes:
    return segment(0xFF52, struct.pack(">BBHBBBBBB", 0, 0, 1, 0, 5, 4, 4, 0, transform))


def cap(bits: int) -> bytes:
    return segment(0xFF50, struct.pack(">IH", bits, 0))


QCD = segment(0xFF5C, b"\x40" + bytes(16))
COM = segment(0xFF64, b"\0\1 a comment with \xff\x90 and \xff\xd9 inside")


def part(
    tile: int = 0,
    number: int = 0,
    of: int = 1,
    header: bytes = b"",
    body: bytes = b"\xff\x93packets",
    psot: int | None = None,
) -> bytes:
    length = 12 + len(header) + len(body) if psot is None else psot
    return segment(0xFF90, struct.pack(">HIBB", tile, length, number, of)) + header + body


def stream(*parts: bytes, siz: Siz | None = None, end: bytes = EOC) -> bytes:
    return SOC + (siz or Siz()).write() + COM + cod() + QCD + b"".join(parts) + end


def reject_of(data: bytes) -> RejectError:
    with pytest.raises(RejectError) as caught:
        measure(data)
    return caught.value


def header_reason(data: bytes) -> Reason:
    with pytest.raises(RejectError) as caught:
        read_header(data)
    return caught.value.reason


def test_facts_of_siz_and_cod() -> None:
    siz = Siz(size=(68, 43), offset=(8, 3), components=((0x80 | 9, 1, 1),))
    info = read_header(SOC + siz.write() + QCD + cod(transform=0) + part())
    assert (info.kind, info.height, info.width, info.components) == ("j2k", 40, 60, 1)
    assert (info.precision, info.signed, info.lossy) == (10, True, True)
    info = read_header(SOC + Siz().write() + cod())
    assert (info.precision, info.signed, info.lossy) == (12, False, False)


@pytest.mark.parametrize(
    ("rsiz", "capability", "kind"),
    [
        (0x4000, 0x00020000, "htj2k"),
        (0x4001, 0x80020000, "htj2k"),
        (0x4000, 0x00010000, "j2k"),  # another part's capability
        (0, 0x00020000, "j2k"),  # CAP that Rsiz does not announce
        (0x4000, None, "j2k"),
    ],
)
def test_htj2k_by_rsiz_and_cap(rsiz: int, capability: int | None, kind: str) -> None:
    extra = b"" if capability is None else cap(capability)
    for header in (extra + cod(), cod() + extra):
        assert read_header(SOC + Siz(rsiz=rsiz).write() + header + part() + EOC).kind == kind


def test_header_needs_nothing_after_what_it_looks_for() -> None:
    data = SOC + Siz().write() + cod()
    assert read_header(data).width == 60
    assert header_reason(data[:-1]) is Reason.TRUNCATED


@pytest.mark.parametrize(
    ("siz", "reason"),
    [
        (Siz(size=(8, 40), offset=(8, 0)), Reason.CORRUPT),
        (Siz(size=(0, 40)), Reason.CORRUPT),
        (Siz(tile=(0, 40)), Reason.CORRUPT),
        (Siz(tile_offset=(1, 0)), Reason.CORRUPT),
        (Siz(offset=(0, 30), tile=(100, 20), tile_offset=(0, 5)), Reason.CORRUPT),
        (Siz(size=(1 << 31, 1 << 31), tile=(1, 1)), Reason.CORRUPT),
        (Siz(components=()), Reason.CORRUPT),
        (Siz(components=((16, 1, 1),)), Reason.UNSUPPORTED),
        (Siz(components=((37, 1, 1),)), Reason.UNSUPPORTED),
        (Siz(components=((11, 2, 1),)), Reason.UNSUPPORTED),
        (Siz(components=((11, 1, 1), (11, 1, 1), (7, 1, 1))), Reason.UNSUPPORTED),
        (Siz(components=((11, 1, 1), (0x80 | 11, 1, 1))), Reason.UNSUPPORTED),
    ],
    ids=str,
)
def test_siz_that_cannot_be(siz: Siz, reason: Reason) -> None:
    assert header_reason(SOC + siz.write() + cod() + part() + EOC) is reason


def test_components_that_agree() -> None:
    siz = Siz(components=((7, 1, 1),) * 3)
    info = read_header(SOC + siz.write() + cod())
    assert (info.components, info.precision) == (3, 8)


@pytest.mark.parametrize(
    "data",
    [
        SOC + cod() + Siz().write(),
        SOC + Siz().write() + part() + EOC,  # no COD
        SOC + Siz().write() + EOC,
        SOC + Siz().write() + b"\xff\x52\x00\x01",
        SOC + Siz().write() + segment(0xFF52, bytes(9)) + part(),
        SOC + Siz().write() + b"\x00\x00\x00\x00",
        SOC + b"\xff\x51\x00\x29" + bytes(39),
    ],
)
def test_header_out_of_order(data: bytes) -> None:
    assert header_reason(data) is Reason.CORRUPT


def test_end_is_after_eoc() -> None:
    data = stream(part(header=COM))
    assert measure(data + b"\0") == Extent(len(data), proven=True)


@pytest.mark.parametrize("size", [(61, 40), (100, 21), (61, 81)])
def test_number_of_tiles(size: tuple[int, int]) -> None:
    siz = Siz(size=size, tile=(30, 20))
    columns, rows = -(-size[0] // 30), -(-size[1] // 20)
    parts = [part(tile) for tile in range(columns * rows)]
    assert measure(stream(*parts, siz=siz)).proven
    reject = reject_of(stream(*parts[:-1], siz=siz))
    assert reject.reason is Reason.TRUNCATED
    assert f"{columns * rows - 1} of {columns * rows} tiles" in reject.detail
    assert reject_of(stream(*parts, part(columns * rows), siz=siz)).reason is Reason.CORRUPT


def test_tile_offset_adds_tiles() -> None:
    siz = Siz(size=(60, 40), offset=(25, 0), tile=(30, 40), tile_offset=(20, 0))
    assert measure(stream(part(0), part(1), siz=siz)).proven  # 20..50 and 50..80
    assert reject_of(stream(part(0), siz=siz)).reason is Reason.TRUNCATED


TWO_TILES = Siz(size=(60, 40), tile=(30, 40))


def test_parts_may_be_interleaved() -> None:
    parts = [part(0, 0, 2), part(1, 0, 0), part(1, 1, 2), part(0, 1, 0)]
    assert measure(stream(*parts, siz=TWO_TILES)).proven


def test_missing_part() -> None:
    reject = reject_of(stream(part(0, 0, 2), part(1), siz=TWO_TILES))
    assert reject.reason is Reason.TRUNCATED
    assert "1 of 2 parts of tile 0" in reject.detail


def test_one_part_more_than_told_as_old_encoders_write_it() -> None:
    assert measure(stream(part(0, 0, 1), part(0, 1, 1))).proven
    assert reject_of(stream(*(part(0, k, 1) for k in range(3)))).reason is Reason.CORRUPT


@pytest.mark.parametrize(
    "parts",
    [
        (part(0, 1, 2), part(0, 0, 2)),
        (part(0, 0, 2), part(0, 0, 2)),
        (part(0, 0, 3), part(0, 1, 2)),
        (part(0, 0, 0), part(0, 1, 0), part(0, 2, 1)),
        (part(0, 1, 2),),
        (part(0, 0, 2), part(0, 2, 2)),  # part 1 is missing
        (part(0, 0, 0), part(0, 2, 0)),
    ],
)
def test_parts_that_contradict_each_other(parts: tuple[bytes, ...]) -> None:
    assert reject_of(stream(*parts)).reason is Reason.CORRUPT


def test_an_untold_number_of_parts_is_unproven() -> None:
    first, second = part(0, 0, 0), part(0, 1, 0)
    assert not measure(stream(first, second)).proven
    assert not measure(stream(first)).proven  # the same, cut after a part and closed with EOC
    assert measure(stream(first, part(0, 1, 2))).proven
    assert not measure(stream(part(0), part(1, 0, 0), siz=TWO_TILES)).proven


def test_open_last_tile_part_ends_at_eoc() -> None:
    data = stream(part(0), part(1, psot=0, body=b"\xff\x93" + EOC + b"x"), siz=TWO_TILES)
    assert measure(data) == Extent(len(data), proven=False)
    assert measure(data + bytes(100)) == Extent(len(data), proven=False)
    assert reject_of(data[:-2]).reason is Reason.TRUNCATED
    assert reject_of(data + b"garbage").reason is Reason.TRUNCATED
    assert reject_of(stream(part(0, psot=0), part(1), siz=TWO_TILES)).reason is Reason.TRUNCATED


@pytest.mark.parametrize("psot", [1, 11, 12, 13])
def test_tile_part_too_short(psot: int) -> None:
    assert reject_of(stream(part(psot=psot))).reason is Reason.CORRUPT


def test_tile_part_longer_than_the_data() -> None:
    data = stream(part(psot=5000))
    reject = reject_of(data)
    assert reject.reason is Reason.TRUNCATED
    assert str(data.index(b"\xff\x90\x00\x0a") + 5000 + 2) in reject.detail
    assert str(len(data)) in reject.detail


def test_tile_part_without_sod() -> None:
    assert reject_of(stream(part(header=COM, body=b""))).reason is Reason.CORRUPT
    assert reject_of(stream(part(body=b"packets"))).reason is Reason.CORRUPT


def test_sot_of_wrong_length() -> None:
    bad = segment(0xFF90, struct.pack(">HIBBB", 0, 20, 0, 1, 0)) + b"\xff\x93"
    assert reject_of(stream(bad)).reason is Reason.CORRUPT


def test_something_else_between_tile_parts() -> None:
    assert reject_of(stream(part(0), COM, part(1), siz=TWO_TILES)).reason is Reason.CORRUPT


@pytest.mark.parametrize("end", [b"", b"\xff"])
def test_no_eoc(end: bytes) -> None:
    assert reject_of(stream(part(), end=end)).reason is Reason.TRUNCATED


def test_every_cut_is_noticed() -> None:
    parts = [part(0, 0, 2), part(1, 0, 1, header=COM), part(0, 1, 2)]
    data = stream(*parts, siz=TWO_TILES)
    for stop in range(len(data)):
        assert reject_of(data[:stop]).reason in {Reason.TRUNCATED, Reason.CORRUPT}
        if stop != len(data) - len(EOC):
            reject_of(data[:stop] + EOC)
