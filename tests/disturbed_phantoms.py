"""Phantoms as display values with the true box of their breast, and what disturbs a box finder.

A disturbance is a function of a `Case` and a generator; it gives another case. Where it covers the
breast, as a film's border does, the truth is what is left to be seen of its outline.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.grayscale import display_table
from dali_pipelines.phantom.header import HeaderSpec
from dali_pipelines.phantom.marker import draw_marker
from dali_pipelines.phantom.patients import IMAGES, ImagePlan, PhantomSettings, draw_patient
from dali_pipelines.phantom.picture import draw_picture
from dali_pipelines.records import Grayscale
from dali_pipelines.stages import Roi
from dali_pipelines.voi_settings import Voi

TOP: Final = 65535
FULL_HEIGHT: Final = 3000  # px of a detector; lines are as wide as they would be there
SEED: Final = 5  # of phantoms that no constant of the method was chosen on: those had seed 0
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Case:
    """Display values (H, W) uint16, where its breast is to be seen (H, W), and its chest wall."""

    display: NDArray[np.uint16]
    breast: Mask
    chest_left: bool
    kind: str = "none"

    @property
    def box(self) -> Roi:
        """The true box."""
        rows = np.flatnonzero(self.breast.any(axis=1))
        columns = np.flatnonzero(self.breast.any(axis=0))
        edges = (int(edge) for edge in (rows[0], rows[-1] + 1, columns[0], columns[-1] + 1))
        return Roi(*edges, mirror=not self.chest_left)

    def painted(self, where: Mask, level: float | NDArray[np.float64]) -> "Case":
        """The same with display values `level`, a share of the range, where the mask is True."""
        values = np.clip(np.broadcast_to(level, where.shape) * TOP, 0, TOP).astype(np.uint16)
        return replace(self, display=np.where(where, values, self.display))

    def covered(self, where: Mask) -> "Case":
        """The same with no breast to be seen where the mask is True."""
        return replace(self, breast=self.breast & ~where)


def draw_case(number: int, height: int, width: int) -> Case:
    """An undisturbed phantom, shown as its header wants it; the same number gives the same."""
    settings = PhantomSettings(1000, height=height, width=width, syntax="raw", seed=SEED)
    plan = ImagePlan(draw_patient(settings, number // len(IMAGES)), number % len(IMAGES))
    picture = draw_picture(settings, plan)
    table = display_table(_grayscale(picture.header), Voi())
    return Case(table[picture.values], picture.breast, plan.side == "L")


def _grayscale(header: HeaderSpec) -> Grayscale:
    padding = None if header.padding is None else (header.padding, header.padding)
    return Grayscale(
        header.precision,
        header.precision,
        function=header.function or "LINEAR",
        windows=header.windows or (),
        invert=header.photometric == "MONOCHROME1",
        padding=padding,
    )


def labels(case: Case, rng: np.random.Generator) -> Case:
    """One to three labels, as text or as plates: beside the breast, at the frame, or by the skin.

    Those by the skin may touch it, with up to a tenth of their area over it.
    """
    place = [_anywhere, _at_the_frame, _by_the_skin][int(rng.integers(3))]
    allowed = 0.1 if place is _by_the_skin else 0.0
    for _ in range(int(rng.integers(1, 4))):
        dots = _letters(rng, case.display.shape[0] * rng.uniform(0.02, 0.055))
        level = rng.uniform(0.6, 1)
        for _attempt in range(40):
            label = _placed(case.display.shape, dots, place(case, rng, dots.shape))
            if (label & case.breast).sum() <= allowed * label.sum():
                case = case.painted(label, level)
                break
    return case


def _letters(rng: np.random.Generator, height_px: float) -> Mask:
    """The mask of a random label, framed or not, upright or turned, or of a plate of its size."""
    side = rng.choice(["L", "R"])
    view = "".join(rng.choice(list("CMLO"), int(rng.integers(1, 5))))
    page = draw_marker((520, 520), f"{side}{view}")
    rows, columns = np.flatnonzero(page.any(axis=1)), np.flatnonzero(page.any(axis=0))
    dots = page[rows[0] : rows[-1] + 1 : 2, columns[0] : columns[-1] + 1 : 2]
    dots = dots[3:-3, 3:-3] if rng.random() < 0.5 else dots
    times = max(1, round(height_px / 13))
    dots = np.kron(dots, np.ones((times, times), bool))
    dots = np.ones_like(dots) if rng.random() < 0.25 else dots
    return dots.T if rng.random() < 0.3 else dots


def _placed(shape: tuple[int, ...], dots: Mask, corner: tuple[int, int]) -> Mask:
    top = int(np.clip(corner[0], 0, shape[0] - dots.shape[0]))
    left = int(np.clip(corner[1], 0, shape[1] - dots.shape[1]))
    mask = np.zeros(shape, bool)
    mask[top : top + dots.shape[0], left : left + dots.shape[1]] = dots
    return mask


def _anywhere(case: Case, rng: np.random.Generator, size: tuple[int, ...]) -> tuple[int, int]:
    height, width = case.display.shape
    return int(rng.integers(height)), int(rng.integers(width))


def _at_the_frame(case: Case, rng: np.random.Generator, size: tuple[int, ...]) -> tuple[int, int]:
    """At the upper or lower edge, or at the one away from the chest wall."""
    row, column = _anywhere(case, rng, size)
    height, width = case.display.shape
    far = width if case.chest_left else 0
    return [(0, column), (height, column), (row, far)][int(rng.integers(3))]


def _by_the_skin(case: Case, rng: np.random.Generator, size: tuple[int, ...]) -> tuple[int, int]:
    outward = 1 if case.chest_left else -1
    rows, columns = np.nonzero(case.breast & ~np.roll(case.breast, -outward, axis=1))
    skin = int(rng.integers(len(rows)))
    gap = int(rng.integers(-3, max(2, case.display.shape[1] // 60)))
    column = int(columns[skin]) + outward * gap - (0 if case.chest_left else size[1])
    return int(rows[skin]) - size[0] // 2, column


def frame(case: Case, rng: np.random.Generator) -> Case:
    """A bright frame on one to four sides, 0.4 to 5 % of the picture thick.

    Every second one is like a film's: a little noisy, tilted by up to 0.6 degrees, with the corners
    of the picture rounded.
    """
    height, width = case.display.shape
    film = rng.random() < 0.5
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    depths = (rows, height - 1 - rows, columns, width - 1 - columns)
    border = np.zeros((height, width), bool)
    for side in rng.permutation(4)[: int(rng.integers(1, 5))]:
        length, along = (height, columns) if side < 2 else (width, rows)
        tilt = np.tan(np.radians(rng.uniform(-0.6, 0.6))) if film else 0.0
        border |= depths[side] < rng.uniform(0.004, 0.05) * length + tilt * (along - along.mean())
    if film:
        border |= _corners(case, rng.uniform(0.01, 0.05) * width)
    level = rng.uniform(0.7, 1)
    shine = level * (1 + 0.03 * rng.standard_normal((height, width))) if film else level
    return case.painted(border, shine).covered(border)


def _corners(case: Case, radius: float) -> Mask:
    height, width = case.display.shape
    rows, columns = np.mgrid[:height, :width]
    down = np.maximum(radius - np.minimum(rows, height - 1 - rows), 0)
    across = np.maximum(radius - np.minimum(columns, width - 1 - columns), 0)
    return np.asarray(np.hypot(down, across) > radius)


def edge_line(case: Case, rng: np.random.Generator) -> Case:
    """A bright line of full height near the left or right edge, as the edge of a detector shows.

    It is 1 to 20 px wide at detector size. What lies beyond it may be black.
    """
    height, width = case.display.shape
    line = _line_width(rng, height)
    outside = int(rng.choice([0, int(rng.integers(0, max(1, width // 33)))]))
    columns = np.arange(width) if rng.random() < 0.5 else np.arange(width)[::-1]
    bright = np.broadcast_to((columns >= outside) & (columns < outside + line), (height, width))
    beyond = np.broadcast_to(columns < outside, (height, width))
    case = case.painted(bright, rng.uniform(0.4, 1)).covered(bright)
    return case.painted(beyond, 0.0).covered(beyond) if rng.random() < 0.5 else case


def far_line(case: Case, rng: np.random.Generator) -> Case:
    """A bright line of full height anywhere in the air beside the breast."""
    height, width = case.display.shape
    line, box = _line_width(rng, height), case.box
    first, last = (box.right, width - line) if case.chest_left else (0, box.left - line)
    start = int(rng.integers(first, last + 1)) if first <= last else width
    bright = np.zeros((height, width), bool)
    bright[:, start : start + line] = True
    return case.painted(bright, rng.uniform(0.4, 1))


def _line_width(rng: np.random.Generator, height: int) -> int:
    width = int(rng.integers(1, 21))
    return max(1, round(width * height / FULL_HEIGHT)) if rng.random() < 0.7 else width


def implant(case: Case, rng: np.random.Generator) -> Case:
    """A saturated oval inside of the breast."""
    box = case.box
    rows, columns = np.mgrid[: case.display.shape[0], : case.display.shape[1]]
    depth = box.width * rng.uniform(0.3, 0.5)
    middle = box.left + depth if case.chest_left else box.right - depth
    down = (rows - (box.top + box.bottom) / 2 - box.height * rng.uniform(-0.08, 0.08)) / box.height
    across = (columns - middle) / box.width
    oval = np.hypot(down / rng.uniform(0.2, 0.36), across / rng.uniform(0.25, 0.42)) <= 1
    return case.painted(oval & case.breast, 1.0)


def inverted(case: Case, _rng: np.random.Generator) -> Case:
    """The picture in negative: the background bright, the breast darker."""
    return replace(case, display=TOP - case.display)


def padding(case: Case, rng: np.random.Generator) -> Case:
    """Padding that stays above black: the whole background, or strips around the exposed field."""
    height, width = case.display.shape
    level = rng.uniform(0.004, 0.08)
    if rng.random() < 0.6:
        air = ~case.breast & (case.display < level * TOP)
        return case.painted(air, level)
    strips = np.zeros((height, width), bool)
    if rng.random() < 0.7:
        side = int(rng.uniform(0.02, 0.2) * width)
        strips[:, width - side if case.chest_left else 0 : width if case.chest_left else side] = 1
    rows = int(rng.uniform(0.01, 0.06) * height)
    strips[:rows] = strips[height - rows :] = True
    return case.painted(strips & ~case.breast, level)


Disturbance = Callable[[Case, np.random.Generator], Case]
# In the order in which they come about: in the breast, at the detector, on the film.
DISTURBANCES: Final[Sequence[Disturbance]] = (
    *(implant, padding, inverted, labels, edge_line, far_line, frame),
)


def disturb(case: Case, kind: int, rng: np.random.Generator) -> Case:
    """The disturbance number `kind` of DISTURBANCES, or, of the number after them, two or three."""
    count = len(DISTURBANCES)
    chosen = [kind] if kind < count else sorted(rng.permutation(count)[: int(rng.integers(2, 4))])
    for k in chosen:
        case = DISTURBANCES[k](case, rng)
    return replace(case, kind=DISTURBANCES[kind].__name__ if kind < count else "several")
