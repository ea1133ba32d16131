"""The data set that one frame sees: with its own functional groups in place of common attributes.

An enhanced object keeps windows, rescale, side and spacing in groups: those common to all frames
in the Shared, those of single frames in the Per-frame Functional Groups Sequence. A group is taken
as a whole, the frame's own before the shared one, and that before what stands in the data set
itself, so that center and width never come from two places. PS3.3 C.7.6.16.
"""

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final, cast

from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag

from dali_pipelines.dicom.encapsulation import UNDEFINED_LENGTH, PixelElement
from dali_pipelines.dicom.tag_parser import (
    PARSE_ERRORS,
    HeaderReader,
    ParsedTags,
    tag_number,
)
from dali_pipelines.dicom.tag_values import items
from dali_pipelines.storage.byte_view import ByteView, MemoryBytes
from dali_pipelines.verdicts import Reason, RejectError

TAGS: Final = ("SharedFunctionalGroupsSequence",)

_GROUPS: Final = {  # the sequence of each macro, and what stands in for it outside of groups
    "FrameVOILUTSequence": ("WindowCenter", "WindowWidth", "VOILUTFunction", "VOILUTSequence"),
    "PixelValueTransformationSequence": (
        "RescaleSlope",
        "RescaleIntercept",
        "ModalityLUTSequence",
    ),
    "FrameAnatomySequence": ("FrameLaterality",),
    "PixelMeasuresSequence": ("PixelSpacing",),
    "FramePixelDataPropertiesSequence": ("ImagerPixelSpacing",),
}
_NUMBERS: Final = frozenset(map(tag_number, _GROUPS))
_HEAD_BYTES: Final = 8  # tag and length of an item, PS3.5 7.5.1
_ITEM, _ITEM_END, _END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_MOST_ITEMS: Final = 10_000  # as many as there may be frames
_MOST_ITEM_BYTES: Final = 1 << 24  # a frame's groups have about a KiB, its LUTs up to 128 each


class FunctionalGroups:
    """Gives each of `count` frames its data set; the per-frame groups are read when asked for."""

    def __init__(self, view: ByteView, parsed: ParsedTags, count: int) -> None:
        self._view = view
        self._common = parsed.dataset
        self._count = count
        self._own: list[int] | None = None
        self._spent = 0
        self._element = parsed.frame_groups
        shared = items(parsed.dataset, "SharedFunctionalGroupsSequence")
        self._shared = shared[0] if shared else Dataset()

    def seen_by(self, frame: int) -> Dataset:
        """The data set with the groups of this frame, counted from 0, where there are any.

        RejectError: FRAMES where groups of use are there for another number of frames, CORRUPT,
        TRUNCATED, TOO_LARGE.
        """
        groups = {name: items(self._shared, name) for name in _GROUPS}
        own = self._own_groups(frame)
        groups |= {name: found for name in _GROUPS if (found := items(own, name))}
        seen = _copy(self._common)
        for name, found in groups.items():
            if found:
                _replace(seen, _GROUPS[name], found[0])
        return seen

    def _own_groups(self, frame: int) -> Dataset:
        if self._element is None:
            return Dataset()
        if self._own is None:
            self._own = self._assigned(list(self._item_offsets(self._element)))
        return self._parse_item(self._own[frame])[0] if self._own else Dataset()

    def _assigned(self, own: list[int]) -> list[int]:
        """The items if there is one a frame; none if there is another number, all without use."""
        if len(own) == self._count:
            return own
        if any(len(self._parse_item(offset)[0]) for offset in own):
            raise RejectError(
                Reason.FRAMES,
                f"the object has {self._count} frames and functional groups for {len(own)}; "
                "nobody knows which are whose",
            )
        return []

    def _item_offsets(self, element: PixelElement) -> Iterator[int]:
        """Where the items of the sequence begin; one without a length is parsed to find its end."""
        offset, end, count = element.offset, self._view.size, 0
        if element.length != UNDEFINED_LENGTH:
            end = min(end, element.offset + element.length)
        while offset < end:
            tag, length = self._item_head(offset)
            if tag == _END:
                return
            if tag != _ITEM:
                raise RejectError(
                    Reason.CORRUPT, "the Per-frame Functional Groups Sequence cannot be parsed"
                )
            yield offset
            count += 1
            if count > _MOST_ITEMS:
                raise RejectError(
                    Reason.TOO_LARGE, f"there are functional groups for more than {count} frames"
                )
            if length == UNDEFINED_LENGTH:
                offset = self._parse_item(offset)[1]
            else:
                offset += _HEAD_BYTES + length

    def _item_head(self, offset: int) -> tuple[int, int]:
        """Tag and length of the item at `offset`."""
        head = self._view.peek(offset, _HEAD_BYTES)
        if len(head) < _HEAD_BYTES:
            raise RejectError(
                Reason.TRUNCATED, "the file ends within the functional groups; fetch it again"
            )
        group, element, length = struct.unpack(f"{self._order}HHI", head)
        return group << 16 | element, length

    @property
    def _order(self) -> str:
        return "<" if self._element is None or self._element.little else ">"

    def _parse_item(self, offset: int) -> tuple[Dataset, int]:
        """The groups in the item at `offset` that are of use here, and where it ends."""
        _, length = self._item_head(offset)
        start = offset + _HEAD_BYTES
        if length == UNDEFINED_LENGTH:
            source = HeaderReader(self._view, start, self._spent)
            return self._parse(source), source.tell()
        if length > _MOST_ITEM_BYTES:
            raise RejectError(
                Reason.TOO_LARGE,
                f"a frame's functional groups have {length} bytes, more than {_MOST_ITEM_BYTES}",
            )
        item = MemoryBytes(self._view.peek(start, length))
        return self._parse(HeaderReader(item, 0, self._spent)), start + length

    def _parse(self, source: HeaderReader) -> Dataset:
        implicit, little = self._common.original_encoding
        if self._element is not None and self._element.vr == "UN":
            implicit, little = True, True  # PS3.5 6.2.2, note 4

        def at_element(tag: BaseTag, _vr: str | None, length: int) -> bool:
            source.start_element(tag, length, wanted=tag in _NUMBERS)
            return False

        try:
            dataset = read_dataset(
                cast("BinaryIO", source),
                bool(implicit),
                bool(little),
                stop_when=at_element,
                parent_encoding=self._common.original_character_set,
                specific_tags=list(map(BaseTag, _NUMBERS)),
                at_top_level=False,
            )
        except PARSE_ERRORS as error:
            raise source.failure or RejectError(
                Reason.CORRUPT, "a frame's functional groups cannot be parsed"
            ) from error
        self._spent = source.spent
        if source.failure is not None:
            raise source.failure
        return dataset


def _copy(dataset: Dataset) -> Dataset:
    """The same elements in a data set of its own; none is converted but Pixel Representation.

    RejectError(CORRUPT) where that cannot be: pydicom looks at it when a sequence is put in.
    """
    copy = Dataset()
    for tag in dataset.keys():  # noqa: SIM118 - iterating a Dataset converts its elements
        try:
            copy[tag] = dataset.get_item(tag, keep_deferred=True)
        except PARSE_ERRORS as error:
            raise RejectError(
                Reason.CORRUPT, "the header's Pixel Representation cannot be parsed"
            ) from error
    implicit, little = dataset.original_encoding
    copy.set_original_encoding(implicit, little, dataset.original_character_set)
    return copy


def _replace(dataset: Dataset, names: tuple[str, ...], item: Dataset) -> None:
    """Put the item's elements of these names in place of the data set's."""
    for number in map(tag_number, names):
        if number in dataset:
            del dataset[number]
        if number in item:
            dataset[number] = item.get_item(number, keep_deferred=True)
