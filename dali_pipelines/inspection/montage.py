"""Contact sheets: each image with its box beside what the recipe makes, and how good it is."""

import io
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from dali_pipelines.inspection.boxed_images import BoxedImage
from dali_pipelines.inspection.contact_sheet import display_values
from dali_pipelines.inspection.side_by_side import GROUND, INK, PALE, fitted, outline
from dali_pipelines.recipe import Recipe

Cell = NDArray[np.uint8]  # (h, w, 3), a pair with its words, as it is pasted

# Lengths in px.
_PICTURE: Final = 320  # high
_GAP: Final = 12
_FONT: Final = 13
_LINE: Final = 18
_LEAST_CELL: Final = 300  # wide: an image_id of 32 characters
_COLUMNS: Final = 4


def draw_cell(boxed: BoxedImage, recipe: Recipe, note: str = "") -> Cell:
    """The image with its box at the left, the recipe's output at the right, three lines below."""
    seen = np.rint(np.clip(display_values(boxed.image, recipe), 0, 1) * np.float32(65535))
    pictures = fitted(boxed.display, _PICTURE), fitted(seen.astype(np.uint16), _PICTURE)
    beside = pictures[0].shape[1] + _GAP
    width = max(beside + pictures[1].shape[1], _LEAST_CELL)
    cell = Image.new("RGB", (width, _PICTURE + 4 * _LINE), GROUND)
    pen = ImageDraw.Draw(cell)
    for picture, left in zip(pictures, (0, beside), strict=True):
        cell.paste(Image.fromarray(picture), (left, 0))
    outline(pen, boxed.box, boxed.display.shape, pictures[0].shape, (0, 0))
    font = ImageFont.load_default(_FONT)
    lines = (boxed.record.image_id, INK), (_verdict(boxed), INK), (note, PALE)
    for row, (words, color) in enumerate(lines):
        fitting = _cut_short(words, width, font)
        pen.text((0, _PICTURE + _GAP // 2 + row * _LINE), fitting, color, font)
    return np.asarray(cell)


def draw_sheet(cells: Sequence[Cell]) -> bytes:
    """The PNG of one page of cells, four in a row; the same bytes each time."""
    columns = min(len(cells), _COLUMNS)
    width = max(cell.shape[1] for cell in cells) + _GAP
    height = cells[0].shape[0] + _GAP
    rows = -(-len(cells) // columns)
    page = Image.new("RGB", (columns * width + _GAP, rows * height + _GAP), GROUND)
    for k, cell in enumerate(cells):
        row, column = divmod(k, columns)
        page.paste(Image.fromarray(cell), (_GAP + column * width, _GAP + row * height))
    file = io.BytesIO()
    page.save(file, "PNG")
    return file.getvalue()


def _verdict(boxed: BoxedImage) -> str:
    by = "by hand" if boxed.record.box else "found" if boxed.box.found else "not found"
    mirrored = ", mirrored" if boxed.box.mirror else ""
    return f"quality {boxed.quality:.2f}, {by}{mirrored}"


def _cut_short(words: str, room: int, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """As many of the characters as there is room for, in px."""
    while words and font.getlength(words) > room:
        words = words[:-1]
    return words
