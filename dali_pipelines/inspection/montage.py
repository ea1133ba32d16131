"""Contact sheets: each image with its box beside what the recipe makes, and how good it is."""

import io
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from dali_pipelines.inspection.boxed_images import BoxedImage
from dali_pipelines.inspection.display_values import display_values
from dali_pipelines.inspection.side_by_side import GROUND, INK, PALE, fitted, outline
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord

Cell = NDArray[np.uint8]  # (h, w, 3), a pair with its words, as it is pasted

# Lengths in px.
_PICTURE: Final = 320  # high
_GAP: Final = 12  # within a pair, and around the sheet
_BETWEEN: Final = 44  # pairs, so that it is plain which pictures belong together
_FONT: Final = 13
_LINE: Final = 18
_LEAST_CELL: Final = 300  # wide: an image_id of 32 characters
_COLUMNS: Final = 4
_TITLE: Final = 17  # its font
_HEAD: Final = 44  # high: the title and what is free around it

_HEADINGS: Final = "DICOM, box", "network's input"


def draw_cell(boxed: BoxedImage, recipe: Recipe, note: str = "") -> Cell:
    """The image with its box at the left, the recipe's output at the right, words below.

    A heading of each above: what is left, what is right.
    """
    seen = np.rint(np.clip(display_values(boxed.image, recipe), 0, 1) * np.float32(65535))
    pictures = fitted(boxed.display, _PICTURE), fitted(seen.astype(np.uint16), _PICTURE)
    beside = pictures[0].shape[1] + _GAP
    width = max(beside + pictures[1].shape[1], _LEAST_CELL)
    cell = Image.new("RGB", (width, _LINE + _PICTURE + 5 * _LINE), GROUND)
    pen = ImageDraw.Draw(cell)
    font = ImageFont.load_default(_FONT)
    for picture, left, words in zip(pictures, (0, beside), _HEADINGS, strict=True):
        cell.paste(Image.fromarray(picture), (left, _LINE))
        room = max(picture.shape[1], width - left if left else beside - _GAP)
        pen.text((left, 0), _cut_short(words, room, font), PALE, font)
    outline(pen, boxed.box, boxed.display.shape, pictures[0].shape, (0, _LINE))
    top = _LINE + _PICTURE + _GAP // 2
    lines = _named(boxed.record), boxed.record.image_id, _verdict(boxed), note
    for row, words in enumerate(lines):
        color = PALE if words is note else INK
        pen.text((0, top + row * _LINE), _cut_short(words, width, font), color, font)
    return np.asarray(cell)


def draw_sheet(cells: Sequence[Cell], title: str) -> bytes:
    """The PNG of one page of cells, four in a row under a title; the same bytes each time."""
    columns = min(len(cells), _COLUMNS)
    width = max(cell.shape[1] for cell in cells) + _BETWEEN
    height = cells[0].shape[0] + _GAP
    rows = -(-len(cells) // columns)
    font = ImageFont.load_default(_TITLE)
    across = max(columns * width - _BETWEEN, int(font.getlength(title)) + 1)
    page = Image.new("RGB", (across + 2 * _GAP, _HEAD + rows * height + _GAP), GROUND)
    ImageDraw.Draw(page).text((_GAP, _GAP), title, INK, font)
    for k, cell in enumerate(cells):
        row, column = divmod(k, columns)
        page.paste(Image.fromarray(cell), (_GAP + column * width, _HEAD + row * height))
    file = io.BytesIO()
    page.save(file, "PNG")
    return file.getvalue()


def _named(record: ImageRecord) -> str:
    """Side and view, as far as the header tells."""
    tags = record.tags
    return f"{tags.laterality or 'no side'} {tags.view or 'no view'}"


def _verdict(boxed: BoxedImage) -> str:
    by = "by hand" if boxed.record.box else "found" if boxed.box.found else "not found"
    mirrored = ", mirrored" if boxed.box.mirror else ""
    return f"quality {boxed.quality:.2f}, {by}{mirrored}"


def _cut_short(words: str, room: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """As many of the characters as there is room for, in px."""
    while words and font.getlength(words) > room:
        words = words[:-1]
    return words
