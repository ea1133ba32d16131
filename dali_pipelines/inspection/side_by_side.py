"""One PNG: the DICOM picture, what the network sees of it, and below in words how it came to that.

The network's input is drawn px for px, enlarged by a whole number where it is small.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from dali_pipelines.inspection.decisions import Decision
from dali_pipelines.inspection.display_values import display_values
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.stages import Roi
from dali_pipelines.steps import load_steps

# Lengths in px.
_MARGIN: Final = 24
_FONT: Final = 17
_LINE: Final = 25
_TOPIC: Final = 110  # the width of the column of topics
_LEAST_PICTURE: Final = 640  # high; a smaller input of a network is enlarged
_LEAST_TEXT: Final = 900  # wide
_TWO_COLUMNS: Final = 1700  # wide enough for the text to stand in two
_WIDEST: Final = 1.25  # the DICOM picture, as a multiple of its height
GROUND, INK, PALE, _BOX = "#1c1c1c", "#f2f2f2", "#9fb4c7", "#ff9b2f"

_Lines = list[tuple[str, str]]  # a topic, or "" where its words go on, and words


@dataclass(frozen=True, slots=True)
class Pair:
    """What to draw under `title`, and the words below.

    `display` (H, W) uint16 is the whole image and `box` what was cut out of it, `image` (C, h, w)
    float32 what the network gets.
    """

    title: str
    display: NDArray[np.uint16]
    box: Roi
    image: NDArray[np.float32]
    decisions: Sequence[Decision]


def draw_pair(pair: Pair, recipe: Recipe) -> bytes:
    """The PNG; the same bytes each time."""
    seen = _enlarged(display_values(pair.image, recipe))
    shown = fitted(pair.display, seen.shape[0])
    width = max(shown.shape[1] + _MARGIN + seen.shape[1], _LEAST_TEXT)
    font = ImageFont.load_default(_FONT)
    columns = _columns(pair.decisions, width, font)
    pictures = _MARGIN + 2 * _LINE + _MARGIN // 2
    text = pictures + seen.shape[0] + _MARGIN
    height = text + max(map(len, columns)) * _LINE + _MARGIN
    page = Image.new("RGB", (width + 2 * _MARGIN, height), GROUND)
    pen = ImageDraw.Draw(page)
    beside = _MARGIN + shown.shape[1] + _MARGIN
    pen.text((_MARGIN, _MARGIN), pair.title, INK, font)
    above = _MARGIN + _LINE + _MARGIN // 4
    pen.text((_MARGIN, above), "DICOM picture, and the box that is cut out", PALE, font)
    pen.text((beside, above), "what the network sees", PALE, font)
    page.paste(Image.fromarray(shown), (_MARGIN, pictures))
    page.paste(Image.fromarray(seen), (beside, pictures))
    outline(pen, pair.box, pair.display.shape, shown.shape, (_MARGIN, pictures))
    for k, column in enumerate(columns):
        left = _MARGIN + k * (width + _MARGIN) // len(columns)
        for row, (topic, words) in enumerate(column):
            pen.text((left, text + row * _LINE), topic, PALE, font)
            pen.text((left + _TOPIC, text + row * _LINE), words, INK, font)
    file = io.BytesIO()
    page.save(file, "PNG")
    return file.getvalue()


def _enlarged(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Display values 0 ... 1 (h, w) as gray levels, each a square of as many px as it takes."""
    levels = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    times = -(-_LEAST_PICTURE // levels.shape[0])
    return levels.repeat(times, axis=0).repeat(times, axis=1)


def fitted(display: NDArray[np.uint16], height: int) -> NDArray[np.uint8]:
    """The whole image, (height, w) gray levels or lower if it is much wider than high."""
    scale = min(height / display.shape[0], _WIDEST * height / display.shape[1])
    size = (max(1, round(display.shape[0] * scale)), max(1, round(display.shape[1] * scale)))
    settings = ResizeSettings(size=size, fit="stretch", mean=0.0, std=1.0)
    out = np.empty((1, 1, *size), np.float32)
    frame = Roi(0, display.shape[0], 0, display.shape[1])
    load_steps("cpu").resize([display], [frame], settings, out)
    levels: NDArray[np.uint8] = np.rint(np.clip(out[0, 0], 0, 1) * 255).astype(np.uint8)
    return levels


def outline(
    pen: ImageDraw.ImageDraw,
    box: Roi,
    frame: tuple[int, ...],
    shape: tuple[int, ...],
    corner: tuple[int, int],
) -> None:
    """Draw the box of an image of `frame` px over its picture of `shape` px at `corner` (x, y)."""
    down, across = shape[0] / frame[0], shape[1] / frame[1]
    x, y = corner
    first = (x + round(box.left * across), y + round(box.top * down))
    last = (x + round(box.right * across) - 1, y + round(box.bottom * down) - 1)
    pen.rectangle((first, last), outline=_BOX, width=3)


def _columns(
    decisions: Sequence[Decision], width: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont
) -> list[_Lines]:
    """The text in one column, or in two of about the same length where there is room."""
    count = 2 if width >= _TWO_COLUMNS else 1
    room = (width - (count - 1) * _MARGIN) // count - _TOPIC
    blocks = [_block(decision, room, font) for decision in decisions]
    total = sum(map(len, blocks))
    columns: list[_Lines] = [[]]
    for block in blocks:
        if len(columns) < count and len(columns[-1]) + len(block) / 2 > total / count:
            columns.append([])
        columns[-1] += block
    return columns


def _block(
    decision: Decision, room: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont
) -> _Lines:
    """One decision, its words broken into lines of at most `room` px."""
    lines = [""]
    for word in decision.words.split():
        longer = f"{lines[-1]} {word}".lstrip()
        if lines[-1] and font.getlength(longer) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    topics = [decision.topic, *[""] * (len(lines) - 1)]
    return list(zip(topics, lines, strict=True))
