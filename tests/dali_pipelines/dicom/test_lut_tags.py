from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dali_pipelines.records import ImageRecord, Lut
from dali_pipelines.verdicts import Reason, RejectError

Read = Callable[..., ImageRecord]
RAMP = tuple(range(0, 4096, 16))  # 256 entries of 12 bits

CR = "1.2.840.10008.5.1.4.1.1.1"


@pytest.fixture
def lut_of(new_dicom: Any, read_dicom: Read) -> Callable[..., tuple[Lut | None, bool]]:
    """lut_of(descriptor, data, ...) -> the table read from a VOI LUT Sequence, and "flagged"."""

    def make(
        descriptor: Any, data: Any, vrs: tuple[str, str] = ("US", "US"), **tags: Any
    ) -> tuple[Lut | None, bool]:
        big = tags.pop("big", False)
        item = {"LUTDescriptor": descriptor, "LUTData": data}
        file = new_dicom(VOILUTSequence=[item], WindowCenter=None, WindowWidth=None, **tags)
        file.vrs = {"LUTDescriptor": vrs[0], "LUTData": vrs[1]}
        if big:
            file.big, file.syntax = True, "1.2.840.10008.1.2.2"
        record = read_dicom(file)
        (lut,) = record.grayscale.voi_luts
        return (lut if lut.data else None, "lut_invalid" in record.flags)

    return make


def plain(lut: Lut | None) -> tuple[int, int, list[int]]:
    assert lut is not None
    return lut.first, lut.bits, lut.values.tolist()


@pytest.mark.parametrize("vr", ["US", "OW"])
@pytest.mark.parametrize("big", [True, False])
def test_data_are_words_in_either_vr_and_order(lut_of: Any, vr: str, big: bool) -> None:
    data = np.array(RAMP, ">u2" if big else "<u2").tobytes()
    lut, flagged = lut_of((256, 5, 12), data, ("US", vr), big=big)
    assert plain(lut) == (5, 12, list(RAMP))
    assert not flagged


def test_no_entries_mean_65536(lut_of: Any) -> None:
    data = np.arange(65536, dtype="<u2").tobytes()
    lut, flagged = lut_of((0, 0, 16), data, ("US", "OW"))
    assert plain(lut) == (0, 16, list(range(65536)))
    assert not flagged
    assert lut_of((0, 0, 16), data[:-2], ("US", "OW")) == (None, True)


def test_counts_are_unsigned_even_as_ss(lut_of: Any) -> None:
    data = np.full(40_000, 4095, "<u2").tobytes()
    lut, flagged = lut_of((-25_536, -100, 12), data, ("SS", "OW"))  # 65,536 - 25,536 = 40,000
    assert plain(lut) == (-100, 12, [4095] * 40_000)
    assert not flagged


@pytest.mark.parametrize(
    ("vr", "tags", "first"),
    [
        ("US", {}, 65_436),
        ("SS", {}, -100),
        ("US", {"PixelRepresentation": 1}, -100),
        ("US", {"SOPClassUID": CR, "RescaleSlope": "1", "RescaleIntercept": "-1024"}, -100),
    ],
)
def test_the_first_input_is_signed_where_inputs_are(
    lut_of: Any, vr: str, tags: dict[str, Any], first: int
) -> None:
    descriptor = (256, 65_436 if vr == "US" else -100, 12)
    lut, _ = lut_of(descriptor, RAMP, (vr, "US"), **tags)
    assert plain(lut)[0] == first


def test_8_bit_entries_are_taken_packed_or_not(lut_of: Any) -> None:
    ramp = bytes(range(0, 256, 2)) + b"\xff"  # 129 entries
    wanted = (0, 8, list(ramp))
    words = np.frombuffer(ramp, np.uint8).astype("<u2").tobytes()
    assert plain(lut_of((129, 0, 8), words, ("US", "OW"))[0]) == wanted
    lut, flagged = lut_of((129, 0, 8), ramp + b"\0", ("US", "OW"))
    assert (plain(lut), flagged) == (wanted, False)
    lut, flagged = lut_of((128, 0, 8), ramp[:128], ("US", "OW"))
    assert (plain(lut), flagged) == ((0, 8, list(ramp[:128])), False)
    swapped = np.frombuffer(ramp + b"\0", "<u2").astype(">u2").tobytes()
    lut, flagged = lut_of((129, 0, 8), swapped, ("US", "OW"), big=True)
    assert (plain(lut), flagged) == (wanted, False)


@pytest.mark.parametrize(
    ("descriptor", "data"),
    [
        ((257, 0, 12), RAMP),
        ((256, 0, 12), bytes(256)),  # packed bytes cannot hold 12 bits
        ((256, 0, 7), RAMP),
        ((256, 0, 17), RAMP),
        ((256, 0, 0), RAMP),
        ((256, 0), RAMP),
        ((256, 0, 12, 1), RAMP),
        (None, RAMP),
        ((256, 0, 12), None),
        ((256, 0, 12), b""),
    ],
)
def test_a_table_that_contradicts_itself_has_no_entries(
    lut_of: Any, descriptor: Any, data: Any
) -> None:
    assert lut_of(descriptor, data) == (None, True)


def test_of_a_long_table_the_first_entries_count(lut_of: Any) -> None:
    lut, flagged = lut_of((3, 0, 12), RAMP)
    assert (plain(lut), flagged) == ((0, 12, [0, 16, 32]), True)


@pytest.mark.parametrize("bits", [8, 9, 10, 12, 16])
def test_every_width_of_the_standard_is_taken(lut_of: Any, bits: int) -> None:
    lut, flagged = lut_of((2, 0, bits), (0, (1 << bits) - 1))
    assert (plain(lut), flagged) == ((0, bits, [0, (1 << bits) - 1]), False)


def test_a_bad_table_does_not_cost_the_good_ones(new_dicom: Any, read_dicom: Read) -> None:
    good = {"LUTDescriptor": (256, 0, 12), "LUTData": RAMP}
    short = {"LUTDescriptor": (300, 0, 12), "LUTData": RAMP}
    record = read_dicom(new_dicom(VOILUTSequence=[short, good, {}]))
    unusable = Lut(0, 16, b"")
    assert [plain(lut) for lut in record.grayscale.voi_luts[1:2]] == [(0, 12, list(RAMP))]
    assert record.grayscale.voi_luts[::2] == (unusable, unusable)  # they keep their places
    assert record.flags == ("lut_invalid",)


def test_a_modality_lut_is_read_and_must_be_sound(new_dicom: Any, read_dicom: Read) -> None:
    item = {"LUTDescriptor": (256, 0, 12), "LUTData": RAMP}
    record = read_dicom(new_dicom(ModalityLUTSequence=[item]))
    assert plain(record.grayscale.modality_lut) == (0, 12, list(RAMP))
    assert record.flags == ("nonconformant_rescale",)
    both = new_dicom(ModalityLUTSequence=[item], VOILUTSequence=[item], PixelRepresentation=1)
    both.tags["VOILUTSequence"] = [{"LUTDescriptor": (256, 65_436, 12), "LUTData": RAMP}]
    assert plain(read_dicom(both).grayscale.voi_luts[0])[0] == 65_436  # a LUT puts out no negatives
    item["LUTDescriptor"] = (257, 0, 12)
    with pytest.raises(RejectError) as caught:
        read_dicom(new_dicom(ModalityLUTSequence=[item]))
    assert caught.value.reason is Reason.LUT
