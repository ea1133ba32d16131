"""What frames must share to have a maximum, and the flags of what they may differ in."""

from collections.abc import Callable
from typing import Any

import pytest

from dali_pipelines.dicom import maximum
from dali_pipelines.dicom.laterality_view import Laterality
from dali_pipelines.records import Grayscale, ImageRecord
from dali_pipelines.verdicts import Reason, RejectError
from tests.frame_stack import TOMOSYNTHESIS, dicom_of, stack

Read = Callable[..., tuple[ImageRecord, ...]]


def rescale(slope: str, intercept: str = "0") -> dict[str, Any]:
    pair = {"RescaleSlope": slope, "RescaleIntercept": intercept}
    return {"PixelValueTransformationSequence": [pair]}


def window(center: int) -> dict[str, Any]:
    return {"FrameVOILUTSequence": [{"WindowCenter": str(center), "WindowWidth": "50"}]}


def side(name: str) -> dict[str, Any]:
    return {"FrameAnatomySequence": [{"FrameLaterality": name}]}


def tomosynthesis(groups: list[dict[str, Any]], **tags: Any) -> Any:
    return dicom_of(
        stack(3),
        "raw",
        SOPClassUID=TOMOSYNTHESIS,
        PerFrameFunctionalGroupsSequence=groups,
        **tags,
    )


@pytest.mark.parametrize("other", [rescale("2"), rescale("1", "7"), rescale("-1", "4095")])
def test_frames_whose_values_mean_different_things_have_no_maximum(
    read: Read, other: dict[str, Any]
) -> None:
    file = tomosynthesis([rescale("1"), rescale("1"), other])
    assert len(read(file, "all")) == 3
    with pytest.raises(RejectError) as caught:
        read(file, "mip")
    assert caught.value.reason is Reason.UNSUPPORTED
    assert "take single frames" in caught.value.detail
    (same,) = read(tomosynthesis([rescale("2")] * 3), "mip")
    assert same.grayscale.slope == 2


def test_frames_of_other_windows_are_flagged(read: Read) -> None:
    for centers, flags in (([5, 5, 5], ()), ([5, 5, 6], ("frames_differ",))):
        (record,) = read(tomosynthesis([window(center) for center in centers]), "mip")
        assert record.flags == flags


@pytest.mark.parametrize(
    ("sides", "flags"),
    [("LLL", ()), ("LLR", ("laterality_conflict",)), ("RLL", ("laterality_conflict",))],
)
def test_frames_of_other_sides_are_a_conflict(
    read: Read, sides: str, flags: tuple[str, ...]
) -> None:
    groups = [side(name) for name in sides]
    (record,) = read(tomosynthesis(groups, ImageLaterality=None), "mip")
    assert (record.tags.laterality, record.flags) == (sides[0], flags)
    (record,) = read(tomosynthesis(groups, ImageLaterality="L"), "mip")
    assert record.flags == flags


def test_views_that_differ_are_a_conflict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maximum, "find_view", lambda frame: (frame, (), frame == "?"))
    monkeypatch.setattr(maximum, "find_laterality", lambda _: Laterality("L", False, False))

    def flags_of(*views: str) -> tuple[str, ...]:
        return maximum.compare_frames(views, lambda _: (Grayscale(12, 12), ()))

    assert flags_of("CC", "CC", "") == ()
    assert flags_of("CC", "", "MLO") == ("view_conflict",)
    assert flags_of("?") == ("view_conflict",)


def test_the_codestreams_of_a_maximum_are_bounded(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Native frames are taken one at a time."""
    coded, native = dicom_of(stack(3), "rle"), dicom_of(stack(3), "raw")
    sizes = [length for _, length in read(coded, "mip")[0].location.fragments]
    monkeypatch.setattr(maximum, "MOST_BYTES", sum(sizes) - 1)
    assert len(read(coded, "all")) == 3
    assert len(read(native, "mip")) == 1
    with pytest.raises(RejectError) as caught:
        read(coded, "mip")
    assert caught.value.reason is Reason.TOO_LARGE
    assert "use --frames middle" in caught.value.detail
