"""Every decision on the way of one image, in words: what the header says, what was done with it.

For the picture of `mammo preview`. Nothing here names a patient, a file or a UID of one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dali_pipelines.geometry import content_corner, content_size
from dali_pipelines.grayscale import describe_voi
from dali_pipelines.inspection.content import Content
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import Grayscale, ImageRecord, ImageTags, StreamInfo, StreamKind
from dali_pipelines.rejects.explanations import explain
from dali_pipelines.stages import Roi
from dali_pipelines.verdicts import Flag

_KINDS: Final[dict[StreamKind, str]] = {
    "raw": "not compressed",
    "rle": "RLE",
    "j2k": "JPEG 2000",
    "htj2k": "HTJ2K",
    "jpeg_lossless": "JPEG lossless",
    "jpeg_dct": "JPEG (DCT)",
    "jpegls": "JPEG-LS",
}


@dataclass(frozen=True, slots=True)
class Decision:
    """One line: what it is about, and what was decided, as a phrase."""

    topic: str
    words: str


def describe(
    record: ImageRecord, recipe: Recipe, box: Roi, content: Content, decoder: str
) -> list[Decision]:
    """All decisions on one image, in the order of the way of the data, the flags last.

    `box` is what the recipe cut out, in px of the file; `decoder` is as in `Loader.counts`.
    """
    stream, gray = record.stream, record.grayscale
    pairs = [
        ("codestream", f"{_coding(stream)}; decoded by {decoder.replace(f' {stream.kind}', '')}"),
        ("size, bits", f"{_codestream_form(stream)}; header: {_header_form(record.tags)}"),
        ("frames", _frames(record.tags)),
        ("modality", _modality(gray)),
        ("window", describe_voi(gray, recipe.voi)),
        ("polarity", _polarity(record)),
        ("padding", _padding(gray)),
        ("stretch", _stretch(recipe)),
        ("breast", _breast(record)),
        ("chest wall", _chest_wall(content, record.tags)),
        ("crop", _crop(box, record, recipe)),
        ("mirror", _mirror(box, recipe, content)),
        ("resize", _resize(box, recipe)),
        ("numbers", _numbers(recipe)),
        ("recipe", f"{recipe.name}, hash {recipe.hash}"),
        *_flags(record, content),
    ]
    return [Decision(topic, words) for topic, words in pairs if words]


def _coding(stream: StreamInfo) -> str:
    parts = [_KINDS[stream.kind]]
    if stream.predictor:
        parts.append(f"predictor {stream.predictor}")
    if stream.kind not in {"raw", "rle", "jpeg_lossless"}:
        parts.append("lossy" if stream.lossy else "lossless")
    return ", ".join(parts + ["in a JP2 box"] * stream.boxed)


def _codestream_form(stream: StreamInfo) -> str:
    sign = "signed" if stream.signed else "unsigned"
    return f"{stream.height:,} x {stream.width:,} px of {stream.precision} bits, {sign}"


def _header_form(tags: ImageTags) -> str:
    sign = "signed" if tags.signed else "unsigned"
    bits = f"{tags.bits_stored} of {tags.bits_allocated} bits stored, high bit {tags.high_bit}"
    return f"{tags.rows:,} x {tags.columns:,}, {bits}, {sign}"


def _frames(tags: ImageTags) -> str:
    if tags.number_of_frames == 1:
        return ""
    if tags.frame is None:
        return f"the maximum over all {tags.number_of_frames}"
    return f"{tags.frame + 1} of {tags.number_of_frames}"


def _modality(gray: Grayscale) -> str:
    if gray.modality_lut is not None:
        return f"a modality LUT of {len(gray.modality_lut.values):,} entries"
    if (gray.slope, gray.intercept) == (1, 0):
        return "stored values as they are: no rescale"
    return f"rescaled: slope {gray.slope:g}, intercept {gray.intercept:g}"


def _polarity(record: ImageRecord) -> str:
    name = record.tags.photometric or "no photometric interpretation"
    done = "inverted after the window" if record.grayscale.invert else "not inverted"
    return f"{name}: {done}, background is to be black"


def _padding(gray: Grayscale) -> str:
    if gray.padding is None:
        return "no value counts as padding"
    low, high = gray.padding
    values = f"stored value {low:,}" if low == high else f"stored values {low:,} to {high:,}"
    return f"{values}: shown black"


def _stretch(recipe: Recipe) -> str:
    stretch = recipe.stretch
    if stretch.use == "none":
        return ""
    return f"display values between the percentiles {stretch.low:g} and {stretch.high:g} spread out"


def _breast(record: ImageRecord) -> str:
    tags = record.tags
    side = {"L": "left breast", "R": "right breast", "B": "both breasts"}.get(tags.laterality)
    source = "the header states it"
    if Flag.LATERALITY_INFERRED in record.flags:
        source = "inferred from Patient Orientation"
    if Flag.LATERALITY_CONFLICT in record.flags:
        source = "the most trusted of tags that disagree"
    view = f"view {tags.view}" if tags.view else "view unknown"
    modifiers = "".join(f", {name.replace('_', ' ')}" for name in tags.view_modifiers)
    return f"{f'{side} ({source})' if side else 'side unknown'}, {view}{modifiers}"


def _chest_wall(content: Content, tags: ImageTags) -> str:
    seen = (
        f"{content.chest_side} by the pixels" if content.chest_side else "the pixels leave it open"
    )
    source = "Patient Orientation" if tags.chest_side else "the usual hanging of that breast"
    if not content.expected_side:
        return f"{seen}; the header says nothing"
    expected = f"{content.expected_side} by {source}"
    if not content.chest_side:
        return f"{seen}; {expected}"
    agree = "they agree" if content.chest_side == content.expected_side else "they disagree"
    return f"{seen}, {expected}: {agree}; the pixels are followed"


def _crop(box: Roi, record: ImageRecord, recipe: Recipe) -> str:
    if recipe.roi.method == "none":
        return "all of the image, as the recipe asks"
    if not box.found:
        return "no breast found, so all of the image is kept"
    area = box.height * box.width / (record.stream.height * record.stream.width)
    rows = f"rows {box.top:,} to {box.bottom - 1:,}"
    return f"{rows}, columns {box.left:,} to {box.right - 1:,}: {area:.0%} of the image"


def _mirror(box: Roi, recipe: Recipe, content: Content) -> str:
    if recipe.roi.mirror == "none":
        return "no, as the recipe asks"
    if not box.found:
        return "no, as there is no breast to turn"
    half = "right" if box.mirror else "left"
    decided = f"{'yes' if box.mirror else 'no'}: more of the breast lies in the {half} half"
    if content.chest_side == half:
        return decided
    return f"{decided}, which decides though it does not tell the chest wall for sure"


def _resize(box: Roi, recipe: Recipe) -> str:
    settings = recipe.resize
    size = content_size(box, settings)
    top, left = content_corner(size, settings)
    below, right = settings.size[0] - top - size[0], settings.size[1] - left - size[1]
    edges = zip(("above", "below", "left", "right"), (top, below, left, right), strict=True)
    pads = [f"{count:,} px {where}" for where, count in edges if count]
    scale = f"{size[0] / box.height:.3g} down, {size[1] / box.width:.3g} across"
    black = f"; black added: {', '.join(pads)}" if pads else "; nothing added"
    return f"{box.height:,} x {box.width:,} px to {size[0]:,} x {size[1]:,} (x {scale}){black}"


def _numbers(recipe: Recipe) -> str:
    settings = recipe.resize
    low, high = (0 - settings.mean) / settings.std, (1 - settings.mean) / settings.std
    channels = "1 channel" if settings.channels == 1 else f"{settings.channels} equal channels"
    return f"black {low:.4g}, white {high:.4g}, {channels}, {settings.dtype}"


def _flags(record: ImageRecord, content: Content) -> Iterator[tuple[str, str]]:
    flags = [*map(Flag, record.flags), *content.flags]
    for flag in flags:
        yield "flag", f"{flag.value}: {explain(flag).meaning}"
    if not flags:
        yield "flags", "none"
