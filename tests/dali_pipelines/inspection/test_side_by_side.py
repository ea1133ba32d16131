"""The picture of a preview: the network's input px for px, nothing over anything else."""

import io

import numpy as np
import pytest
from PIL import Image

from dali_pipelines.inspection.decisions import Decision
from dali_pipelines.inspection.side_by_side import Pair, draw_pair
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.stages import Roi

MARGIN, TOP = 24, 86  # where the pictures begin
BOX_COLOR = (0xFF, 0x9B, 0x2F)
GROUND = (0x1C, 0x1C, 0x1C)


def drawn(
    display: np.ndarray, levels: np.ndarray, words: str = "of few words", count: int = 3
) -> np.ndarray:
    recipe = Recipe("any", resize=ResizeSettings(size=levels.shape))
    image = ((levels / np.float32(255) - 0.5) / 0.5).astype(np.float32)[None]
    decisions = [Decision(f"topic {k}", words) for k in range(count)]
    box = Roi(20, display.shape[0] - 20, 10, display.shape[1] // 2)
    png = draw_pair(Pair("0" * 32, display, box, image, decisions), recipe)
    assert png == draw_pair(Pair("0" * 32, display, box, image, decisions), recipe)
    return np.asarray(Image.open(io.BytesIO(png)))


def test_the_input_of_the_network_is_drawn_px_for_px() -> None:
    levels = np.random.default_rng(0).integers(0, 256, (700, 300))
    page = drawn(np.full((700, 500), 30000, np.uint16), levels)
    left = MARGIN + 500 + MARGIN
    assert np.array_equal(page[TOP : TOP + 700, left : left + 300, 0], levels)


def test_a_small_input_is_enlarged_by_a_whole_number() -> None:
    levels = np.random.default_rng(0).integers(0, 256, (200, 100))
    page = drawn(np.full((200, 100), 30000, np.uint16), levels)
    left = MARGIN + 400 + MARGIN  # four times: the least that gives 640 px
    enlarged = page[TOP : TOP + 800, left : left + 400, 0]
    assert np.array_equal(enlarged, levels.repeat(4, axis=0).repeat(4, axis=1))


def test_the_dicom_picture_keeps_its_aspect_and_has_the_box() -> None:
    display = np.full((1400, 1000), 65535 * 100 // 255, np.uint16)
    page = drawn(display, np.zeros((700, 300), int))
    shown = page[TOP : TOP + 700, MARGIN : MARGIN + 500]
    boxed = (shown == BOX_COLOR).all(axis=2)
    rows, columns = np.flatnonzero(boxed.any(axis=1)), np.flatnonzero(boxed.any(axis=0))
    assert (rows[0], rows[-1], columns[0], columns[-1]) == (10, 689, 5, 249)
    assert set(shown[~boxed].ravel().tolist()) == {100}
    assert (page[TOP : TOP + 700, MARGIN + 500] == GROUND).all()


def test_a_wide_picture_does_not_run_away() -> None:
    page = drawn(np.full((300, 3000), 65535, np.uint16), np.zeros((700, 300), int))
    white = (page[TOP : TOP + 700] == 255).all(axis=2)
    assert white.any(axis=0).sum() <= 875  # 1.25 times as wide as the pictures are high
    assert white.any(axis=1).sum() == pytest.approx(87.5, abs=1)


@pytest.mark.parametrize("width", [300, 1700])
def test_long_words_are_broken_and_stay_on_the_page(width: int) -> None:
    display = np.zeros((700, 500), np.uint16)
    page = drawn(display, np.zeros((700, width), int), words="word and word " * 60, count=4)
    below = page[TOP + 700 :]
    inked = (below != GROUND).any(axis=2)
    assert inked.any()
    for strip in (inked[:, :MARGIN], inked[:, -MARGIN:], inked[:20], inked[-20:]):
        assert not strip.any()
    longer = drawn(display, np.zeros((700, width), int), words="word and word " * 60, count=8)
    assert len(longer) > len(page)


def test_topics_do_not_run_into_words() -> None:
    """The longest topic that there is ends before the words begin."""
    page = drawn(np.zeros((700, 500), np.uint16), np.zeros((700, 300), int), "", 1)
    from PIL import ImageFont

    assert ImageFont.load_default(17).getlength("codestream") < 110
    assert page.shape[1] == 2 * MARGIN + 900
