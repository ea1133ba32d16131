"""Every decision on the way of one image, in words: what the header says, what was done with it.

For the picture of `mammo preview`. Nothing here names a patient, a file or a UID of one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from dali_pipelines.inspection.content import Content
from dali_pipelines.inspection.gray_words import gray_words
from dali_pipelines.inspection.resize_words import number_words, resize_words
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord, ImageTags, StreamInfo, StreamKind
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
    stream = record.stream
    pairs = [
        ("codestream", f"{_coding(stream)}; decoded by {decoder.replace(f' {stream.kind}', '')}"),
        ("size, bits", f"{_codestream_form(stream)}; header: {_header_form(record.tags)}"),
        ("frames", _frames(record.tags)),
        *gray_words(record, recipe),
        ("breast", _breast(record)),
        ("chest wall", _chest_wall(content, record.tags)),
        ("edge", _edge(recipe)),
        ("looked at", _source(recipe)),
        ("crop", _crop(box, record, recipe)),
        ("mirror", _mirror(box, record, recipe, content)),
        ("resize", resize_words(box, recipe.resize)),
        ("numbers", number_words(recipe.resize)),
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


def _edge(recipe: Recipe) -> str:
    cut = recipe.decode.cut
    return f"{cut:,} px are cut off each side before anything is measured" if cut else ""


def _source(recipe: Recipe) -> str:
    settings = recipe.roi
    if settings.source == "display" or (settings.method == "none" and settings.mirror == "none"):
        return ""
    spread = " from the least to the greatest" if settings.source == "min-max" else ""
    uses = ["the box"] * (settings.method != "none")
    uses += ["which way it is turned"] * (settings.mirror != "none")
    return f"stored values{spread}, for {' and '.join(uses)}"


def _crop(box: Roi, record: ImageRecord, recipe: Recipe) -> str:
    if recipe.roi.method == "none" and record.box is None:
        return f"all of {'the rest' if recipe.decode.cut else 'the image'}, as the recipe asks"
    if not box.found:
        return "no breast found, so all of the image is kept"
    area = box.height * box.width / (record.stream.height * record.stream.width)
    rows = f"rows {box.top:,} to {box.bottom - 1:,}"
    crop = f"{rows}, columns {box.left:,} to {box.right - 1:,}: {area:.0%} of the image"
    if record.box is not None:
        return f"{crop}, as the table of boxes by hand asks"
    masked = recipe.roi.method == "contour" and recipe.roi.contour.mask
    return f"{crop}{', black outside of the contour' * masked}"


def _mirror(box: Roi, record: ImageRecord, recipe: Recipe, content: Content) -> str:
    if record.box is not None and record.box.mirror is not None:
        return f"{'yes' if box.mirror else 'no'}, as the table of boxes by hand asks"
    if recipe.roi.mirror == "none":
        return "no, as the recipe asks"
    if recipe.roi.mirror_by == "columns":
        greater = "greater" if box.mirror else "not greater"
        outer = f"the outer {recipe.roi.mirror_share:.0%} of the columns"
        side = "left" if recipe.roi.mirror == "chest-right" else "right"
        return f"{'yes' if box.mirror else 'no'}: the sum of {outer} is {greater} at the {side}"
    if not box.found:
        return "no, as there is no breast to turn"
    half = "right" if box.mirror else "left"
    decided = f"{'yes' if box.mirror else 'no'}: more of the breast lies in the {half} half"
    if content.chest_side == half:
        return decided
    return f"{decided}, which decides though it does not tell the chest wall for sure"


def _flags(record: ImageRecord, content: Content) -> Iterator[tuple[str, str]]:
    flags = [*map(Flag, record.flags), *content.flags]
    for flag in flags:
        yield "flag", f"{flag.value}: {explain(flag).meaning}"
    if not flags:
        yield "flags", "none"
