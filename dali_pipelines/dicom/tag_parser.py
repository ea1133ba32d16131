"""A data set's wanted elements, up to the pixel data; pydicom reads them, and nothing else.

pydicom is held on a short lead: it sees the bytes through `HeaderReader`, which never allocates
more than there is to read and stops a header that will not end; and what it says is not passed on,
because its warnings and errors quote the values of tags.
"""

import logging
import math
import struct
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, Final, cast

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.filereader import read_dataset
from pydicom.tag import BaseTag
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from dali_pipelines.dicom.encapsulation import PixelElement
from dali_pipelines.storage.byte_view import ByteView
from dali_pipelines.verdicts import Reason, RejectError

PIXEL_TAGS: Final = frozenset((0x7FE00008, 0x7FE00009, 0x7FE00010))  # float, double, integer
PARSE_ERRORS: Final = (  # what pydicom and the codecs below it raise on malformed input
    struct.error,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RuntimeError,  # also NotImplementedError, and RecursionError of sequences in sequences
    EOFError,
    OSError,
    InvalidDicomError,
    BytesLengthException,  # where a value of another element decides how one is read
)

FRAME_GROUPS: Final = 0x52009230  # Per-frame Functional Groups Sequence

MAX_VALUE_BYTES: Final = 1 << 18  # the longest value we use, a full LUT, has half as many
MAX_ITEMS: Final = 1000  # in one sequence, with those of sequences inside it
ITEM_TAGS: Final = (b"\xfe\xff\x00\xe0", b"\xff\xfe\xe0\x00")  # in either byte order

_LOCATED: Final = PIXEL_TAGS | {FRAME_GROUPS}
_CHARACTER_SET: Final = 0x00080005  # which pydicom reads, and converts, unasked
_UNSPLIT: Final = ("SQ", "OW", "OB", "OB or OW")  # items, or bytes that stay as they are
_MOST_READ: Final = 1 << 24  # bytes of one element: eight times the overlay of a large mammogram
_BLOCK_BYTES: Final = 1 << 16
_BUDGET: Final = 1 << 28  # bytes of header: above all that a header can need
_ITEM_HEAD_BYTES: Final = 8  # tag and length, PS3.5 7.5.1
_READ_COST: Final = 256  # bytes charged for each read: a million reads, about two seconds, at most


@dataclass(frozen=True, slots=True)
class ParsedTags:
    """The wanted elements, and the pixel data element, if the data set has one.

    `cut_short`: the data end inside an element. `frame_groups`: where the Per-frame Functional
    Groups Sequence lies, which can be too long to be read as a whole.
    """

    dataset: Dataset
    pixels: PixelElement | None
    cut_short: bool
    frame_groups: PixelElement | None = None


def parse_tags(
    view: ByteView, start: int, syntax_uid: str, wanted: Sequence[str | int]
) -> ParsedTags:
    """The elements `wanted` (keywords or tag numbers) of the data set at `start`.

    Call it within `quiet_pydicom`. A data set whose VRs are implicit though the syntax says
    explicit, or the other way round, is read as it is. RejectError: TRUNCATED, CORRUPT, IO, and
    TOO_LARGE for a header beyond reason.
    """
    source = HeaderReader(view, start)
    little = syntax_uid != ExplicitVRBigEndian
    numbers = {tag_number(name) for name in wanted} | {_CHARACTER_SET}
    found: dict[int, PixelElement] = {}

    def at_pixels(tag: BaseTag, vr: str | None, length: int) -> bool:
        source.start_element(tag, length, wanted=tag in numbers)
        if tag in _LOCATED:
            found[int(tag)] = PixelElement(int(tag), vr or "", source.tell(), length, little)
        return tag in PIXEL_TAGS

    try:
        dataset = read_dataset(
            cast("BinaryIO", source),
            syntax_uid == ImplicitVRLittleEndian,
            little,
            stop_when=at_pixels,
            specific_tags=[BaseTag(number) for number in numbers],
        )
    except PARSE_ERRORS as error:
        raise source.failure or _malformed(source, error) from error
    if source.failure is not None:
        raise source.failure
    frame_groups = found.pop(FRAME_GROUPS, None)
    pixels = next(iter(found.values()), None)
    return ParsedTags(dataset, pixels, source.cut_short, frame_groups)


def tag_number(name: str | int) -> int:
    """The tag of a keyword, 0xGGGGEEEE; a number stays as it is."""
    number = tag_for_keyword(name) if isinstance(name, str) else name
    assert number is not None, f"{name} is no DICOM keyword"
    return number


def _malformed(source: "HeaderReader", error: Exception) -> RejectError:
    # Where the stack ends depends on who calls, and pydicom may take it for the end of the file.
    if any(isinstance(cause, RecursionError) for cause in (error, error.__context__)):
        return RejectError(Reason.CORRUPT, "the header has sequences inside sequences without end")
    if source.cut_short or source.at_end:
        return RejectError(
            Reason.TRUNCATED,
            f"the data end at byte {source.size}, inside the header; fetch the file again",
        )
    return RejectError(Reason.CORRUPT, f"the header cannot be parsed at byte {source.tell()}")


class HeaderReader:
    """What pydicom takes for an open file: read, seek and tell over a view, with a cache block.

    `failure` is the verdict that a read ended with; pydicom may turn the exception into another.
    `spent` is what was read, in bytes, of what one object may cost; more than one reader share it.
    """

    def __init__(self, view: ByteView, start: int, spent: int = 0) -> None:
        self.size = view.size
        self.failure: RejectError | None = None
        self.cut_short = False
        self._view = view
        self._position = start
        self.spent = spent
        self._items_left: float = math.inf
        self._block = b""
        self._block_start = 0

    @property
    def at_end(self) -> bool:
        """Whether nothing is left to read."""
        return self._position >= self.size

    def start_element(self, tag: int, length: int, *, wanted: bool) -> None:
        """Called before the value of each element of the data set; what is wanted has its limits.

        RejectError(TOO_LARGE) for a wanted value that no use can be made of.
        """
        self._items_left = MAX_ITEMS if wanted else math.inf
        there = min(length, self.size - self._position)
        if wanted and there > MAX_VALUE_BYTES and dictionary_VR(tag) not in _UNSPLIT:
            raise self._refuse(f"a value of {there} bytes, more than {MAX_VALUE_BYTES}")

    def tell(self) -> int:
        """The position from the start of the view; past the end after a jump there."""
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to `offset`, relative to here where `whence` is 1."""
        self._position = offset + (self._position if whence == 1 else 0)
        self.cut_short |= self._position > self.size
        return self._position

    def read(self, count: int = -1) -> bytes:
        """Up to `count` bytes; never more memory than there are bytes left."""
        left = max(0, self.size - self._position)
        wanted = left if count < 0 else min(count, left)
        self.cut_short |= 0 < wanted < count
        self._spend(wanted + _READ_COST)
        if wanted > _MOST_READ:
            raise self._refuse(f"an element of {wanted} bytes, more than {_MOST_READ}")
        offset = self._position - self._block_start
        if not 0 <= offset <= len(self._block) - wanted:
            self._block = self._fetch(max(wanted, min(left, _BLOCK_BYTES)))
            self._block_start, offset = self._position, 0
        self._position += wanted
        found = self._block[offset : offset + wanted]
        if wanted == _ITEM_HEAD_BYTES and found.startswith(ITEM_TAGS):
            self._items_left -= 1
            if self._items_left < 0:
                raise self._refuse(f"a sequence of more than {MAX_ITEMS} items")
        return found

    def _spend(self, cost: int) -> None:
        self.spent += cost
        if self.spent > _BUDGET:
            raise self._refuse(f"more than {_BUDGET >> 20} MiB, or a million elements")

    def _refuse(self, what: str) -> RejectError:
        self.failure = RejectError(Reason.TOO_LARGE, f"the header has {what}")
        return self.failure

    def _fetch(self, count: int) -> bytes:
        try:
            return self._view.peek(self._position, count)
        except RejectError as error:
            self.failure = error
            raise


class _Silence:
    """How many threads are within `quiet_pydicom`, and what to restore after the last one."""

    lock = threading.Lock()
    users = 0
    saved_warnings: "warnings.catch_warnings[None] | None" = None
    logger_was_disabled = False


@contextmanager
def quiet_pydicom() -> Iterator[None]:
    """Silence for pydicom's warnings and log lines, in all threads: they quote tag values.

    Warning filters belong to the process, so the first thread in sets them and the last one out
    puts them back; meanwhile the warnings of others are lost too.
    """
    logger = logging.getLogger("pydicom")
    with _Silence.lock:
        _Silence.users += 1
        if _Silence.users == 1:
            _Silence.saved_warnings = warnings.catch_warnings()
            _Silence.saved_warnings.__enter__()
            warnings.simplefilter("ignore")
            _Silence.logger_was_disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        with _Silence.lock:
            _Silence.users -= 1
            if _Silence.users == 0 and _Silence.saved_warnings is not None:
                _Silence.saved_warnings.__exit__(None, None, None)
                logger.disabled = _Silence.logger_was_disabled
