"""What a scan finds out about an image: where it lies, what its header and codestream say of it.

An `ImageRecord` is one row of the manifest, complete enough to read, decode and prepare the
image without opening the header again.
"""

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

StreamKind = Literal["raw", "rle", "j2k", "htj2k", "jpeg_lossless", "jpeg_dct", "jpegls"]
VoiFunction = Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"]
Storage = Literal["range", "member", "deflated"]

IMPLANT_DISPLACED: Final = "ID"  # the view modifier of CCID and MLOID


@dataclass(frozen=True, slots=True)
class Location:
    """Where the bytes of one image's codestream lie.

    `fragments` are (offset, length) pairs in bytes: from the start of the file `path` where
    `storage` is "range" (also for members of a tar and stored ones of a zip file), from the start
    of the unpacked member for "member", from the start of the inflated data set for "deflated".
    `file_size` (bytes) and `mtime_ns` are those of `path`, so that a file that changed since the
    scan is noticed.
    `frame_fragments` says how many fragments each frame has where the image is the maximum over
    several frames; () where it is one codestream.
    """

    path: str
    member: str
    storage: Storage
    fragments: tuple[tuple[int, int], ...]
    file_size: int
    mtime_ns: int
    frame_fragments: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What a codestream says of itself: SIZ and COD, or SOF, DHT and SOS; the tags for raw and RLE.

    `precision` is in bits. `predictor` and `point_transform` are those of a lossless JPEG's SOS,
    0 otherwise. `tables_first`: DHT stands before SOF. `lossy`: 9-7 wavelet, DCT or near-lossless
    JPEG-LS. `boxed`: a JP2 box wraps the stream. `swapped`: 8-bit pixels lie in big-endian words,
    so that the two of each pair have changed places (PS3.5 8.1.2, annex A.3).
    """

    kind: StreamKind
    height: int
    width: int
    components: int
    precision: int
    signed: bool
    predictor: int = 0
    point_transform: int = 0
    tables_first: bool = False
    lossy: bool = False
    boxed: bool = False
    swapped: bool = False


@dataclass(frozen=True, slots=True)
class Window:
    """One value pair of Window Center and Window Width, in units of the modality output."""

    center: float
    width: float


@dataclass(frozen=True, slots=True)
class Lut:
    """One lookup table: `data` (n,) uint16 little endian, `first` the input that maps to entry 0.

    Inputs below `first` take entry 0, inputs past the end the last entry. `bits` gives the output
    range 0 ... 2**bits - 1. Source: PS3.3 C.11.1.1.1 and C.11.2.1.1.
    """

    first: int
    bits: int
    data: bytes

    @property
    def values(self) -> NDArray[np.uint16]:
        """The entries as (n,) uint16."""
        return np.frombuffer(self.data, "<u2")


@dataclass(frozen=True, slots=True)
class Grayscale:
    """All that turns a stored value into a display value; see `grayscale.py`.

    A stored value is an unsigned pattern of `bits` bits (two's complement where `signed`).
    `bits_stored` bounds the identity range used where no window and no table is given.
    `padding` is an inclusive (low, high) range of stored values that are background.
    """

    bits: int
    bits_stored: int
    signed: bool = False
    slope: float = 1.0
    intercept: float = 0.0
    modality_lut: Lut | None = None
    function: VoiFunction = "LINEAR"
    windows: tuple[Window, ...] = ()
    voi_luts: tuple[Lut, ...] = ()
    invert: bool = False
    padding: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class ImageTags:
    """What the header says of one image, for tables and grouping; ids stay in working files.

    Text is "" and numbers are None where the header has no usable value. `spacing_mm` is (row,
    column) of Imager Pixel Spacing or Pixel Spacing; `age_years` is capped at 90. `frame` counts
    from 0; it is None for an object of one frame and for the maximum over all frames. `chest_side`
    is the edge of the picture at which Patient Orientation has the chest wall. `intensity` is the
    Pixel Intensity Relationship, "LIN" or "LOG": how raw detector values relate to the beam.
    """

    sop_instance_uid: str
    study_instance_uid: str
    series_instance_uid: str
    sop_class_uid: str
    patient_id: str
    exam_id: str
    laterality: str
    view: str
    view_modifiers: tuple[str, ...]
    implant: bool | None
    intent: str
    manufacturer: str
    model_name: str
    modality: str
    age_years: int | None
    rows: int
    columns: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    signed: bool
    photometric: str
    transfer_syntax_uid: str
    spacing_mm: tuple[float, float] | None
    number_of_frames: int = 1
    frame: int | None = None
    chest_side: Literal["left", "right", ""] = ""
    intensity: str = ""


@dataclass(frozen=True, slots=True)
class GivenBox:
    """A box by hand: half-open rows [top, bottom) and columns [left, right) in px.

    `mirror` None leaves it to the recipe whether the crop is flipped left to right.
    """

    top: int
    bottom: int
    left: int
    right: int
    mirror: bool | None = None


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """One image: who it is, where its codestream lies, and how its values are to be read.

    `sha256` is of the bare codestream, without padding, trailing bytes and JP2 boxes (of the pixels
    alone where they are not compressed), "" where the scan was told not to hash. `flags` holds
    values of `verdicts.Flag`. `box`, in px of the file, is cut out whatever the recipe finds; no
    manifest holds it (`review.reviewed` puts it there).
    """

    image_id: str
    tags: ImageTags
    location: Location
    stream: StreamInfo
    grayscale: Grayscale
    sha256: str = ""
    flags: tuple[str, ...] = ()
    box: GivenBox | None = None
