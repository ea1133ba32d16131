"""FunctionalGroups: windows, rescale, side and spacing of one frame, its own before the shared."""

import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dali_pipelines.records import ImageRecord, Window
from dali_pipelines.verdicts import Reason, RejectError
from tests.dicom_file import DicomFile
from tests.frame_stack import TOMOSYNTHESIS, dicom_of, stack

PER_FRAME = 0x52009230
Read = Callable[..., tuple[ImageRecord, ...]]


def window(center: float, width: float, **more: Any) -> dict[str, Any]:
    voi = {"WindowCenter": str(center), "WindowWidth": str(width), **more}
    return {"FrameVOILUTSequence": [voi]}


def tomosynthesis(
    own: list[dict[str, Any]] | None, shared: dict[str, Any] | None = None, **tags: Any
) -> DicomFile:
    return dicom_of(
        stack(),
        "raw",
        SOPClassUID=TOMOSYNTHESIS,
        ImageLaterality=None,
        PerFrameFunctionalGroupsSequence=own,
        SharedFunctionalGroupsSequence=None if shared is None else [shared],
        **tags,
    )


def windows_of(records: tuple[ImageRecord, ...]) -> list[tuple[Window, ...]]:
    return [record.grayscale.windows for record in records]


def test_a_frame_sees_its_own_window(read: Read) -> None:
    file = tomosynthesis([window(100 + k, 50) for k in range(3)], window(7, 7))
    assert windows_of(read(file)) == [(Window(100.0 + k, 50.0),) for k in range(3)]
    assert windows_of(read(file, "first")) == [(Window(100.0, 50.0),)]
    assert windows_of(read(file, "middle")) == [(Window(101.0, 50.0),)]


def test_the_shared_window_comes_next_and_then_that_of_the_data_set(read: Read) -> None:
    own: list[dict[str, Any]] = [window(100, 50), {}, {"FrameVOILUTSequence": []}]
    both = read(tomosynthesis(own, window(7, 9)))
    assert windows_of(both) == [(Window(100, 50),), (Window(7, 9),), (Window(7, 9),)]
    neither = read(tomosynthesis(own))
    assert windows_of(neither)[1:] == [(Window(2048, 4096),)] * 2
    assert windows_of(read(tomosynthesis(None, window(7, 9)))) == [(Window(7, 9),)] * 3


def test_a_group_is_taken_as_a_whole(read: Read) -> None:
    own = [{"FrameVOILUTSequence": [{"WindowCenter": "5"}]}, window(1, 2), window(3, 4)]
    file = tomosynthesis(own, window(7, 9, VOILUTFunction="SIGMOID"), VOILUTFunction="LINEAR_EXACT")
    first, second, _ = read(file)
    assert first.grayscale.windows == ()  # no width, and none is borrowed
    assert "voi_vm_mismatch" in first.flags
    assert (second.grayscale.windows, second.grayscale.function) == ((Window(1, 2),), "LINEAR")


def test_tables_rescale_side_and_spacing_are_the_frames_own(read: Read) -> None:
    lut = {"LUTDescriptor": (4, 0, 16), "LUTData": struct.pack("<4H", 0, 1, 2, 65535)}
    groups: list[dict[str, Any]] = [
        {
            "FrameVOILUTSequence": [{"VOILUTSequence": [lut]}],
            "PixelValueTransformationSequence": [
                {"RescaleSlope": str(k + 1), "RescaleIntercept": "-5", "RescaleType": "US"}
            ],
            "FrameAnatomySequence": [{"FrameLaterality": "LRL"[k]}],
            "PixelMeasuresSequence": [{"PixelSpacing": f"0.{k + 1}\\0.{k + 1}"}],
        }
        for k in range(3)
    ]
    groups[2]["FramePixelDataPropertiesSequence"] = [{"ImagerPixelSpacing": "0.05\\0.05"}]
    shared = {"PixelValueTransformationSequence": [{"RescaleSlope": "9", "RescaleIntercept": "9"}]}
    file = tomosynthesis(groups, shared, RescaleSlope="8", RescaleIntercept="8")
    file.vrs = {"LUTDescriptor": "US", "LUTData": "OW"}
    records = read(file)
    assert [r.grayscale.slope for r in records] == [1, 2, 3]
    assert [r.grayscale.intercept for r in records] == [-5, -5, -5]
    assert [r.tags.laterality for r in records] == ["L", "R", "L"]
    assert [r.tags.spacing_mm for r in records] == [(0.1, 0.1), (0.2, 0.2), (0.05, 0.05)]
    assert all(r.grayscale.windows == () for r in records)
    assert all(r.grayscale.voi_luts[0].values.tolist() == [0, 1, 2, 65535] for r in records)


def undefined(file: DicomFile, own: list[bytes], *, items: bool) -> bytes:
    """The file with a per-frame sequence without length, and with items without, if so asked."""
    order = ">" if file.big else "<"

    def head(element: int, length: int) -> bytes:
        return struct.pack(f"{order}HHI", 0xFFFE, element, length)

    parts = [
        head(0xE000, 0xFFFFFFFF) + data + head(0xE00D, 0)
        if items
        else head(0xE000, len(data)) + data
        for data in own
    ]
    sequence = file.head(PER_FRAME, "SQ", 0xFFFFFFFF) + b"".join(parts) + head(0xE0DD, 0)
    elements = file.elements(file.tags)
    return bytes(128) + b"DICM" + file.meta() + elements + sequence + file.pixel_element()


@pytest.mark.parametrize("items", [True, False])
@pytest.mark.parametrize("form", ["explicit", "implicit", "big"])
def test_sequences_without_length_in_every_encoding(read: Read, form: str, items: bool) -> None:
    file = tomosynthesis(None, window(7, 9))
    file.implicit, file.big = form == "implicit", form == "big"
    syntaxes = {"implicit": "1.2.840.10008.1.2", "big": "1.2.840.10008.1.2.2"}
    file.syntax = syntaxes.get(form, file.syntax)
    more = {"FrameContentSequence": [{"FrameAcquisitionNumber": 1}]}
    own = [file.elements({**more, **window(50 + k, 9)}) for k in range(3)]
    found = windows_of(read(undefined(file, own, items=items)))
    assert found == [(Window(50.0 + k, 9.0),) for k in range(3)]


def test_a_sequence_of_unknown_vr_is_implicit_inside(read: Read) -> None:
    file = tomosynthesis(None)
    plain = DicomFile()
    plain.implicit = True
    own = [plain.elements(window(50 + k, 9)) for k in range(3)]
    value = b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(data)) + data for data in own)
    file.tags["PerFrameFunctionalGroupsSequence"] = value
    file.vrs = {"PerFrameFunctionalGroupsSequence": "UN"}
    assert windows_of(read(file)) == [(Window(50.0 + k, 9.0),) for k in range(3)]


def test_long_groups_of_no_use_are_passed_over(read: Read) -> None:
    frames, of_each = 300, 40
    values = np.zeros((frames, 4, 4), np.uint16)
    junk = {"DimensionIndexValues": (1, 2, 3)}
    plane = [{"ImagePositionPatient": "1\\2\\3"}] * of_each
    own = [
        {"PlanePositionSequence": plane, "FrameContentSequence": [junk], **window(k + 1, 10)}
        for k in range(frames)
    ]
    file = dicom_of(values, "raw", SOPClassUID=TOMOSYNTHESIS, PerFrameFunctionalGroupsSequence=own)
    file.vrs = {"DimensionIndexValues": "UL"}
    assert windows_of(read(file))[-1] == (Window(300, 10),)  # 12,000 items, of which one counts
    parts = [file.elements(groups) for groups in own]
    file.tags["PerFrameFunctionalGroupsSequence"] = None
    assert windows_of(read(undefined(file, parts, items=True), "middle")) == [(Window(150, 10),)]


def test_the_groups_of_all_frames_share_one_budget(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each element costs 264 bytes to look at: the header's take 25 KB, those of a frame 26 KB."""
    file = tomosynthesis(None)
    own = b"".join(file.element(0x00091000 + k, "SH", "x") for k in range(100))
    own += file.elements(window(5, 6))
    item = struct.pack("<HHI", 0xFFFE, 0xE000, len(own)) + own
    file.tags["PerFrameFunctionalGroupsSequence"] = item * 3
    assert len(read(file)) == 3
    monkeypatch.setattr("dali_pipelines.dicom.tag_parser._BUDGET", 70_000)
    assert windows_of(read(file, "middle")) == [(Window(5, 6),)]
    with pytest.raises(RejectError) as caught:
        read(file)
    assert caught.value.reason is Reason.TOO_LARGE


def test_a_maximum_is_shown_like_its_first_frame(read: Read) -> None:
    (same,) = read(tomosynthesis([window(5, 6)] * 3), "mip")
    assert same.grayscale.windows == (Window(5, 6),)
    assert "frames_differ" not in same.flags
    (other,) = read(tomosynthesis([window(5 + k // 2, 6) for k in range(3)]), "mip")
    assert other.grayscale.windows == (Window(5, 6),)
    assert "frames_differ" in other.flags


def test_groups_for_another_number_of_frames_are_refused_where_they_count(read: Read) -> None:
    for count in (1, 2, 4):
        with pytest.raises(RejectError) as caught:
            read(tomosynthesis([window(5, 6)] * count))
        assert caught.value.reason is Reason.FRAMES
        assert f"functional groups for {count}" in caught.value.detail
        useless: list[dict[str, Any]] = [{"FrameContentSequence": []}] * count
        assert windows_of(read(tomosynthesis(useless, window(7, 9)))) == [(Window(7, 9),)] * 3


def test_groups_of_a_single_frame_are_seen_without_being_asked_for(
    new_dicom: type[DicomFile], read: Read
) -> None:
    file = new_dicom(PerFrameFunctionalGroupsSequence=[window(50, 60)])
    (record,) = read(file, "error")
    assert record.grayscale.windows == (Window(50, 60),)


def test_damaged_groups_cost_the_file_and_no_more(read: Read) -> None:
    good = tomosynthesis([window(5, 6)] * 3).encode()
    at = good.index(struct.pack("<HH", 0x5200, 0x9230)) + 12
    item = struct.unpack_from("<I", good, at + 4)[0]
    damages = {
        Reason.CORRUPT: good[:at] + b"\1\2\3\4" + good[at + 4 :],
        Reason.FRAMES: good[: at + 4] + struct.pack("<I", 2 * item + 8) + good[at + 8 :],
    }
    for reason, data in damages.items():
        with pytest.raises(RejectError) as caught:
            read(data)
        assert caught.value.reason is reason
    huge = good[: at + 4] + struct.pack("<I", 1 << 30) + good[at + 8 :]
    with pytest.raises(RejectError) as caught:
        read(huge)
    assert caught.value.reason in (Reason.FRAMES, Reason.TOO_LARGE, Reason.CORRUPT)
