"""Which level of a picture is background, and by how much a breast stands out from it."""

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

# Constants of kernels/breast_background.cuh too.
LEVEL: Final = 256  # display values in one of the 256 levels that are counted
RING: Final = 3  # blocks along each side in which background is looked for
SMOOTH: Final = 2  # levels on either side that count as the same
CONTRASTS: Final = 64  # the contrasts looked at are below this many levels, a quarter of the range
STEEPEST: Final = 32  # a step counts for at most this many levels: letters are steeper than skin
SHARES: Final = 255  # shares are whole numbers of 255ths
GOOD: Final = (3, 4)  # of the best, what is good enough for the lowest contrast that has it
# Pairs across the outline, in half circumferences of the picture: three real mammograms have 0.9 to
# 2.2 and 1540 drawn ones, most of them disturbed, up to 3.2; of 100 pieces cut out of drawn tissue
# none has less than 5.6, for what a level cuts out of tissue is ragged.
LONGEST: Final = 4


class Background(NamedTuple):
    """`level` is one of 256; `sign` is 1 where it is dark, -1 where it is bright.

    What differs from it by at least `contrast` levels, in the direction of `sign`, stands out.
    """

    level: int
    sign: int
    contrast: int

    def stands_out(self, means: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which blocks stand out."""
        return self.sign * (means // LEVEL - self.level) >= self.contrast


def tell_background(means: NDArray[np.int64], least: int) -> Background | None:
    """The background of an image (R, C) of block means without its frame; None where none is seen.

    Its level is the most frequent along the sides. It is dark if the picture is brighter than it
    on the whole. The contrast, at least `least` levels, is that of the skin line: one whose outline
    is short and steep.
    """
    levels = means // LEVEL
    level = side_level(levels)
    sign = 1 if int((levels - level).sum()) >= 0 else -1
    contrast = outline_contrast(np.maximum(sign * (levels - level), 0), least)
    return None if contrast is None else Background(level, sign, contrast)


def side_level(levels: NDArray[np.int64]) -> int:
    """The most frequent of the levels 0 ... 255 along the four sides of an image (R, C) of them.

    Neighbors up to two levels away count with it. Of equally frequent ones the one that counts
    most without them is taken, and of those the darkest.
    """
    counts = np.bincount(along_sides(levels), minlength=256)
    smooth = np.convolve(np.pad(counts, SMOOTH), np.ones(2 * SMOOTH + 1, int), "valid")
    ranks = smooth * (levels.size + 1) + counts
    return int(ranks.argmax())


def along_sides(levels: NDArray[np.int64]) -> NDArray[np.int64]:
    """The levels (n,) of the three outermost blocks along each side."""
    ring = np.ones(levels.shape, bool)
    ring[RING:-RING, RING:-RING] = False
    return levels[ring]


def outline_contrast(levels: NDArray[np.int64], least: int) -> int | None:
    """The contrast that tells the breast from the background, None where no outline is plain.

    `levels` (R, C) count from the background, 0 where a block does not stand out. A contrast t has
    an outline: all neighbors (right and below) of which one lies below t and one does not. The more
    levels they differ by and the fewer they are, the better, the more blocks lie within and the
    more of the sides lies without: mean step / number * the share of the blocks within, squared *
    that of the sides without, cubed. Labels and implants are small, and padding lies along the
    sides. The lowest contrast counts that is three quarters as good as the best, since the skin
    line fades out.
    """
    numbers, sums = outlines(levels)
    inside = -(SHARES * (below(levels.ravel()) - levels.size) // levels.size)  # rounded up
    sides = along_sides(levels)
    outside = SHARES * below(sides) // sides.size
    shares = inside**2 * outside**3  # below 2**40, and sums below 2**22
    goodness = sums * shares // np.maximum(numbers, 1) ** 2
    best = goodness[least:].max()
    lowest = least + int((goodness[least:] * GOOD[1] >= best * GOOD[0]).argmax())
    plain = best > 0 and numbers[lowest] <= LONGEST * sum(levels.shape)
    return lowest if plain else None


def below(levels: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many of the levels (n,) lie below each contrast 0 ... 63."""
    counts = np.bincount(np.minimum(levels, CONTRASTS), minlength=CONTRASTS)
    return np.concatenate([[0], counts.cumsum()[: CONTRASTS - 1]])


def outlines(levels: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """How many pairs of neighbors lie across each contrast 0 ... 63, and their steps summed up.

    A step counts for at most 32 levels.
    """
    numbers, sums = np.zeros(CONTRASTS + 1, np.int64), np.zeros(CONTRASTS + 1, np.int64)
    for one, other in ((levels[:, 1:], levels[:, :-1]), (levels[1:], levels[:-1])):
        lower = np.minimum(one, other).ravel()
        upper = np.maximum(one, other).ravel()
        steps = np.minimum(upper - lower, STEEPEST)
        # The pair lies across the contrasts lower + 1 ... upper.
        for first, sign in ((lower + 1, 1), (upper + 1, -1)):
            ends = np.minimum(first, CONTRASTS)
            numbers += sign * np.bincount(ends, minlength=CONTRASTS + 1)
            sums += sign * np.bincount(ends, steps, CONTRASTS + 1).astype(np.int64)
    return numbers.cumsum()[:CONTRASTS], sums.cumsum()[:CONTRASTS]
