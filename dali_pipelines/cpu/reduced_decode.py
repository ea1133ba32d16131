"""One JPEG 2000 or HTJ2K codestream to its stored values at a lower resolution, by Pillow.

Leaving out a wavelet level halves height and width and saves three quarters of the work. Pillow
holds the GIL while it decodes, so this is for processes that do nothing else.
"""

from typing import Final

import numpy as np
from PIL import features

from dali_pipelines.codestream.j2k import read_header
from dali_pipelines.codestream.levels import removable_levels
from dali_pipelines.cpu.decode import decode
from dali_pipelines.cpu.openjpeg_levels import Codestream, reduced_shape
from dali_pipelines.cpu.packets import require_all_packets
from dali_pipelines.errors import DeviceError
from dali_pipelines.geometry import placement
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import StreamInfo
from dali_pipelines.shading import image_shading
from dali_pipelines.stages import Encoded, Pixels, Roi
from dali_pipelines.steps import load_steps
from dali_pipelines.stored_values import stream_shift
from dali_pipelines.verdicts import Reason, RejectError

MOST_LEVELS: Final = 3  # the most that a recipe can ask for


def decode_reduced(encoded: Encoded, recipe: Recipe) -> Pixels:
    """The stored values, (h, w) uint16, without `Pixels.reduce` = n of the finest wavelet levels.

    (h, w) is (H, W) / 2**n, rounded up, and the values are those of the wavelet's low-pass band,
    rounded and cut off at the stream's precision: what OpenJPEG gives, to the bit. n is

    - 0, and this is `decode`, where the recipe says so, for other codestreams, for the maximum over
      frames, which is not that of their low-pass bands, and where a mean of stored values means
      nothing (`_offered_levels`);
    - what the recipe says, or as many levels as the stream has if they are fewer;
    - for "auto" a number for which the breast's box, as the CPU's own steps find it on this very
      picture, is at least as high and as wide as its place in the output: nothing is ever enlarged
      that need not be. 3 levels are tried first; if they are too many, next come the most for which
      that box, scaled, suffices, and so on down to 0, which needs no box. It is 0 where the recipe
      keeps each px.

    The reader has proved the stream complete, and Pillow refuses a cut one as `decode` does; damage
    inside the levels left out goes unseen. Stored values mix where they meet: next to padding there
    is a seam of values that are not padding. Errors as `decode`, and those of `display_table` for
    "auto".
    """
    wanted = recipe.decode.reduce
    offered = _offered_levels(encoded) if wanted != 0 and encoded.frames == 1 else 0
    if offered == 0:
        return decode(encoded)
    require_all_packets(encoded.data, encoded.record.stream)
    if wanted == "auto":
        return _decode_fitting(encoded, recipe, offered)
    return _decode_without(encoded, min(wanted, offered))


def require_reduced_decode() -> None:
    """Raise DeviceError where Pillow was built without OpenJPEG: it would fail every file."""
    if not features.check_codec("jpg_2000"):
        raise DeviceError(
            "recipe.decode.reduce needs Pillow with JPEG 2000, and this one was built without; "
            "install the wheel from PyPI, or set decode.reduce=0"
        )


def _offered_levels(encoded: Encoded) -> int:
    """How many levels may be left out, 0 ... MOST_LEVELS.

    None where the stream is not what the record says: `decode` has the words for that. None where
    stored values are not ordered as the display is: two's complement, or bits above the value that
    are anyone's guess.
    """
    record = encoded.record
    stream = record.stream
    if stream.kind not in {"j2k", "htj2k"} or stream.components != 1 or record.grayscale.signed:
        return 0
    if stream.precision > record.grayscale.bits + stream_shift(record):
        return 0
    data = encoded.data.data
    if _sample_facts(read_header(data)) != _sample_facts(stream):
        return 0
    return min(MOST_LEVELS, removable_levels(data))


def _sample_facts(stream: StreamInfo) -> tuple[int, int, int, int, bool]:
    return stream.height, stream.width, stream.components, stream.precision, stream.signed


def _decode_fitting(encoded: Encoded, recipe: Recipe, offered: int) -> Pixels:
    """The picture of "auto" in `decode_reduced`."""
    levels = 0 if recipe.resize.fit == "keep" else offered
    while levels > 0:
        pixels = _decode_without(encoded, levels)
        box = _find_box(pixels, encoded, recipe)
        if _fills(box, recipe.resize):
            return pixels
        levels = _next_levels(box, levels, encoded.record.stream, recipe.resize)
    return decode(encoded)


def _next_levels(box: Roi, levels: int, stream: StreamInfo, settings: ResizeSettings) -> int:
    """The most levels below `levels` with which the box, scaled, fills its place; 0 if none do."""
    for fewer in range(levels - 1, 0, -1):
        height, width = reduced_shape(stream, fewer)
        if _fills(box.enlarged(levels - fewer, height, width), settings):
            return fewer
    return 0


def _fills(box: Roi, settings: ResizeSettings) -> bool:
    return all(side.count_in >= side.count_out for side in placement(box, settings))


def _find_box(pixels: Pixels, encoded: Encoded, recipe: Recipe) -> Roi:
    shading = image_shading(encoded.record, recipe)
    _, (box,) = load_steps("cpu").find([pixels], [shading], recipe, [encoded.record.box])
    return box


def _decode_without(encoded: Encoded, levels: int) -> Pixels:
    """The values without that many levels, which the stream must offer."""
    stream = encoded.record.stream
    picture = Codestream(encoded.data, stream, levels)
    try:
        picture.load()
    except OSError as error:  # its text may hold anything: only the class
        raise RejectError(
            Reason.CORRUPT,
            f"the {stream.kind} decoder refused the codestream ({type(error).__name__})",
        ) from error
    except MemoryError as error:
        raise RejectError(
            Reason.OUT_OF_MEMORY, f"no memory left to decode {picture.size} px; use fewer threads"
        ) from error
    spread = np.asarray(picture)
    values = (spread >> (8 * spread.itemsize - stream.precision)).astype(np.uint16, copy=False)
    return Pixels(values, stream_shift(encoded.record), levels)
