"""Objects of several frames, and numbers of frames that lie about what is there."""

import struct

from dali_pipelines.verdicts import Flag, Reason
from tests.bad_inputs.case import Build, Case
from tests.bad_inputs.sound import spoiled, tagged
from tests.dicom_file import DicomFile

_TOMOSYNTHESIS = "1.2.840.10008.5.1.4.1.1.13.1.3"
_FRAMES = "Number of Frames must be one whole number from 1 on"


def _framed(stated: int, there: int, syntax: str = "raw", table: bytes = b"") -> Build:
    """A file of `there` frames that states another number."""

    def spoil(file: DicomFile) -> None:
        native = isinstance(file.pixels, bytes)
        file.pixels = file.pixels * there if native else list(file.pixels) * there
        file.table = table

    return spoiled(spoil, syntax, NumberOfFrames=str(stated))


def _asked(
    name: str,
    build: Build,
    expected: Reason | tuple[Flag, ...],
    sentence: str = "",
    frames: int = 1,
) -> Case:
    """A case in which all frames are asked for."""
    options = {"frames": "all"}
    return Case(name, build, expected, sentence, 35, frames=frames, options=options)


def _maximum(
    groups: list[dict[str, object]], expected: Reason | tuple[Flag, ...], name: str
) -> Case:
    """A case in which the maximum over two frames is asked for, each with its functional groups."""

    def spoil(file: DicomFile) -> None:
        file.pixels = file.pixels * 2
        file.tags["PerFrameFunctionalGroupsSequence"] = groups

    build = spoiled(spoil, "raw", NumberOfFrames="2")
    sentence = "take single frames" if isinstance(expected, Reason) else ""
    return Case(name, build, expected, sentence, 35, options={"frames": "mip"})


def _rescale(slope: str) -> dict[str, object]:
    return {"PixelValueTransformationSequence": [{"RescaleSlope": slope, "RescaleIntercept": "0"}]}


def _side(name: str) -> dict[str, object]:
    return {"FrameAnatomySequence": [{"FrameLaterality": name}]}


_TABLE = struct.pack("<2I", 0, 1 << 31)
_TOO_MANY = "frames were announced, more than 10000 are not taken"

CASES = [
    Case("two_frames", _framed(2, 2), Reason.MULTIFRAME, "2 frames", 34),
    Case("series", tagged(SOPClassUID=_TOMOSYNTHESIS), Reason.MULTIFRAME, "tomosynthesis", 34),
    Case("frames_0", tagged(NumberOfFrames="0"), Reason.FRAMES, _FRAMES, 35),
    Case("frames_negative", tagged(NumberOfFrames="-1"), Reason.FRAMES, _FRAMES, 35),
    Case("frames_text", tagged(NumberOfFrames="two"), Reason.FRAMES, _FRAMES, 35),
    Case("frames_two_values", tagged(NumberOfFrames="1\\2"), Reason.FRAMES, _FRAMES, 35),
    _asked("frames_2_of_2", _framed(2, 2), (), frames=2),
    _asked("frames_3_of_2", _framed(3, 2), Reason.FRAMES, "the pixel data have 3072 bytes"),
    _asked("frames_2_of_3", _framed(2, 3), Reason.FRAMES, "the pixel data have 4608 bytes"),
    _asked("frames_100000", _framed(100_000, 1), Reason.FRAMES, f"100000 {_TOO_MANY}"),
    _asked("fragments_3_of_2", _framed(3, 2, "j2k"), Reason.FRAMES, "of which 2 begin a code"),
    _asked("frames_beyond_int", _framed(10**12, 2, "j2k"), Reason.FRAMES, _TOO_MANY),
    _maximum([_rescale("1"), _rescale("2")], Reason.UNSUPPORTED, "maximum_of_two_rescales"),
    _maximum([_side("L"), _side("R")], (Flag.LATERALITY_CONFLICT,), "maximum_of_two_sides"),
    _asked("offsets_wrong", _framed(2, 2, "j2k", _TABLE), (Flag.OFFSET_TABLE,), frames=2),
]
