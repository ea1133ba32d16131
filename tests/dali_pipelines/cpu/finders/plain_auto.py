"""The method "auto" by loops over blocks, in Python's own integers, from its description."""

from collections.abc import Callable

import numpy as np

from dali_pipelines.roi_settings import RoiSettings
from dali_pipelines.stages import Roi

Place = tuple[int, int]
Blocks = list[list[int]]


def plain_box(image: np.ndarray, settings: RoiSettings) -> Roi:
    """The box around the breast in an image (H, W) uint16."""
    height, width = image.shape
    edge = max(1, -(-max(height, width) // 256))
    means = block_means(image, edge)
    top, bottom, left, right = inside_frame(means)
    picture = [row[left:right] for row in means[top:bottom]]
    nothing = Roi(0, height, 0, width, found=False)
    levels = tell_levels(picture)
    contrast = choose_contrast(levels, max(1, int(settings.auto.threshold * 256)))
    if contrast is None:
        return nothing
    part = breast_part({place for place, level in each(levels) if level >= contrast}, levels)
    few = max(len(levels), len(levels[0])) * 6 // 256
    ys = enough([y for y, _ in part], few)
    xs = enough([x for _, x in part], few)
    if not ys or not xs:
        return nothing
    up, down, west, east = min(ys) + top, max(ys) + top + 1, min(xs) + left, max(xs) + left + 1
    if (down - up) * (east - west) < settings.auto.min_area * len(means) * len(means[0]):
        return nothing
    columns = len(means[0])
    lean = sum(x + left >= columns - columns // 2 for _, x in part)
    lean -= sum(x + left < columns // 2 for _, x in part)
    rows = int((down - up) * edge * settings.auto.margin)
    aside = int((east - west) * edge * settings.auto.margin)
    return Roi(
        max(top * edge, up * edge - rows),
        min(height, bottom * edge, down * edge + rows),
        max(left * edge, west * edge - aside),
        min(width, right * edge, east * edge + aside),
        settings.mirror == "chest-left" and lean > 0,
    )


def each(blocks: Blocks) -> list[tuple[Place, int]]:
    return [((y, x), value) for y, row in enumerate(blocks) for x, value in enumerate(row)]


def block_means(image: np.ndarray, edge: int) -> Blocks:
    height, width = image.shape
    cells = [
        [image[y : y + edge, x : x + edge].ravel().tolist() for x in range(0, width, edge)]
        for y in range(0, height, edge)
    ]
    return [[sum(cell) // len(cell) for cell in row] for row in cells]


def inside_frame(means: Blocks) -> tuple[int, int, int, int]:
    top, bottom, left, right = 0, len(means), 0, len(means[0])
    for _ in range(3):
        rows = [row[left:right] for row in means[top:bottom]]
        columns = [list(column) for column in zip(*rows, strict=True)]
        cuts = [frame_lines(lines) for lines in (rows, rows[::-1], columns, columns[::-1])]
        top, bottom, left, right = (
            top + cuts[0],
            bottom - cuts[1],
            left + cuts[2],
            right - cuts[3],
        )
    return top, bottom, left, right


def frame_lines(lines: Blocks) -> int:
    level = sorted(lines[0])[(len(lines[0]) - 1) // 2]
    shares = [5 * sum(abs(value - level) <= 3072 for value in line) / len(line) for line in lines]
    depth = next((k for k, share in enumerate(shares) if share < 4), len(lines))
    if depth == 0 or depth > len(lines) * 5 // 64:
        return 0
    for k in range(depth, depth + 3):
        if shares[k] <= 3:
            return k
    return 0


def tell_levels(picture: Blocks) -> Blocks:
    """Levels of 256 that count from the background's."""
    rows, columns = len(picture), len(picture[0])
    ring = [
        value // 256
        for (y, x), value in each(picture)
        if min(y, x, rows - 1 - y, columns - 1 - x) < 3
    ]
    near = [sum(abs(level - other) <= 2 for other in ring) for level in range(256)]
    ranks = [(near[level], ring.count(level)) for level in range(256)]
    background = ranks.index(max(ranks))
    dark = sum(value // 256 - background for _, value in each(picture)) >= 0
    sign = 1 if dark else -1
    return [[max(0, sign * (value // 256 - background)) for value in row] for row in picture]


def choose_contrast(levels: Blocks, least: int) -> int | None:
    rows, columns = len(levels), len(levels[0])
    pairs = [(row[x], row[x + 1]) for row in levels for x in range(columns - 1)]
    pairs += [(levels[y][x], levels[y + 1][x]) for y in range(rows - 1) for x in range(columns)]
    pairs = [pair for pair in pairs if pair[0] != pair[1]]
    across = [[abs(a - b) for a, b in pairs if min(a, b) < t <= max(a, b)] for t in range(64)]
    everything = [level for row in levels for level in row]
    ring = [level for (y, x), level in each(levels) if min(y, x, rows - 1 - y, columns - 1 - x) < 3]
    goodness = []
    for t, steps in enumerate(across):
        area = -(-255 * sum(level >= t for level in everything) // len(everything))
        share = 255 * sum(level < t for level in ring) // len(ring)
        step = sum(min(step, 32) for step in steps)
        goodness.append(step * area**2 * share**3 // max(1, len(steps)) ** 2)
    best = max(goodness[least:])
    lowest = next(t for t in range(least, 64) if 4 * goodness[t] >= 3 * best)
    return lowest if best and len(across[lowest]) <= 4 * (rows + columns) else None


def breast_part(lit: set[Place], levels: Blocks) -> set[Place]:
    rows, columns = len(levels), len(levels[0])
    radius, restored = (max(rows, columns) * share // 256 for share in (7, 4))
    dark = [[(y, x) not in lit for x in range(columns)] for y in range(rows)]
    kept = [[not near for near in row] for row in widened(dark, radius)]
    opened = {place for place, near in each(widened(kept, radius)) if near}
    best: set[Place] = set()
    for place in sorted(opened):
        if place not in best and len(part := flood(opened, place)) > len(best):
            best = part
    for _ in range(restored):
        best |= {place for place in lit if square(place, 1) & best}
    return best


def widened(mask: Blocks, radius: int) -> Blocks:
    """What lies within a square of that radius around a place of the mask."""
    for _ in range(2):  # along the rows, then along the columns, each time turning the image over
        reach = [
            [any(row[max(0, x - radius) : x + radius + 1]) for x in range(len(row))] for row in mask
        ]
        mask = [list(line) for line in zip(*reach, strict=True)]
    return mask


def square(place: Place, radius: int) -> set[Place]:
    """The places up to `radius` rows and columns away."""
    y, x = place
    reach = range(-radius, radius + 1)
    return {(y + dy, x + dx) for dy in reach for dx in reach}


def flood(mask: set[Place], seed: Place) -> set[Place]:
    part, todo = {seed}, [seed]
    while todo:
        near = square(todo.pop(), 1) & mask - part
        part |= near
        todo += near
    return part


def enough(places: list[int], few: int) -> list[int]:
    count: Callable[[int], int] = places.count
    return [place for place in set(places) if count(place) > few]
