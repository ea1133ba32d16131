"""The boxes of our own method: of 500 phantoms, 100 of them disturbed, and of real mammograms.

A box is right where its intersection with the true one over their union is 0.95 or more.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dali_pipelines.cpu.decode import decode
from dali_pipelines.cpu.roi import roi
from dali_pipelines.dicom.image import ReadOptions, read_image
from dali_pipelines.grayscale import display_table
from dali_pipelines.inspection.box_quality import box_quality
from dali_pipelines.reader import read_encoded
from dali_pipelines.roi_settings import AutoSettings, RoiSettings
from dali_pipelines.stages import Roi
from dali_pipelines.storage.archive import Source
from dali_pipelines.voi_settings import Voi
from tests.disturbed_phantoms import DISTURBANCES, Case, disturb, draw_case

pytestmark = pytest.mark.slow

IMAGES = 500
EVERY = 5  # one in so many is disturbed
SIZES = ((640, 512), (1024, 832), (1536, 1248))
RIGHT = 0.95
ONLY_DISTURBED = 2000  # the first number of the phantoms of which each is disturbed


def overlap(one: Roi, other: Roi) -> float:
    """Intersection over union of two boxes."""
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    width = min(one.right, other.right) - max(one.left, other.left)
    shared = max(0, height) * max(0, width)
    return shared / (one.height * one.width + other.height * other.width - shared)


def mixed_cases(full: bool) -> Iterator[Case]:
    """500 phantoms, one in five disturbed, kinds in turn; every tenth of them unless `full`."""
    for number in range(0, IMAGES, 1 if full else 9):
        case = draw_case(number, *SIZES[number % len(SIZES)])
        turn, rest = divmod(number, EVERY)
        rng = np.random.default_rng([1, number])
        yield case if rest else disturb(case, kind_in_turn(turn), rng)


def disturbed_cases(full: bool) -> Iterator[Case]:
    """250 phantoms, all of them disturbed, as many of each kind; 24 unless `full`."""
    for number in range(250 if full else 24):
        case = draw_case(ONLY_DISTURBED + number, 640, 512)
        yield disturb(case, kind_in_turn(number), np.random.default_rng([2, number]))


def kind_in_turn(turn: int) -> int:
    """All kinds one after another, starting with another one each time: views come in fours."""
    kinds = len(DISTURBANCES) + 1
    return (turn + turn // kinds) % kinds


def judge(cases: Iterator[Case]) -> dict[str, list[tuple[float, bool, float]]]:
    """Kind -> of each image the overlap, whether the side is right, and the box's quality."""
    judged = defaultdict(list)
    for case in cases:
        (found,) = roi([case.display], RoiSettings())
        side = found.mirror == case.box.mirror
        quality = box_quality(case.display, found)
        judged[case.kind].append((overlap(found, case.box), side, quality))
    return judged


def facts_of(judged: dict[str, list[tuple[float, bool, float]]]) -> dict[str, Any]:
    """What is recorded of each kind."""
    return {
        kind: {
            "images": len(rows),
            "right": sum(iou >= RIGHT for iou, _, _ in rows),
            "sides_right": sum(side for _, side, _ in rows),
            "least_overlap": round(min(iou for iou, _, _ in rows), 4),
            "median_overlap": round(float(np.median([iou for iou, _, _ in rows])), 4),
            "least_quality": round(min(quality for _, _, quality in rows), 3),
        }
        for kind, rows in sorted(judged.items())
    }


def assert_right(judged: dict[str, list[tuple[float, bool, float]]], share: float) -> None:
    """That many boxes are right, and every side is."""
    rows = [row for of_kind in judged.values() for row in of_kind]
    assert sum(iou >= RIGHT for iou, _, _ in rows) >= share * len(rows), facts_of(judged)
    assert all(side for _, side, _ in rows), facts_of(judged)


def test_boxes_of_phantoms(full: bool, record_evidence: Callable[..., None]) -> None:
    judged = judge(mixed_cases(full))
    assert_right(judged, 0.99)
    assert min(iou for iou, _, _ in judged["none"]) >= RIGHT
    record_evidence("boxes", {"right_is_an_overlap_of": RIGHT, "kinds": facts_of(judged)})


def test_boxes_of_disturbed_phantoms(full: bool, record_evidence: Callable[..., None]) -> None:
    judged = judge(disturbed_cases(full))
    assert_right(judged, 0.97)
    facts = {"right_is_an_overlap_of": RIGHT, "kinds": facts_of(judged)}
    record_evidence("boxes_of_disturbed_phantoms", facts)


# Measured by eye on the picture at full size, with a ruler drawn into it: (top, bottom, left,
# right), and whether the chest wall is at the right. GH133 ends at the fold below the breast: what
# hangs down at the chest wall from there on, a fourteenth as wide, is the abdomen. MG1 ends at the
# right at the skin beside the nipple, below at the film's white rim, which begins at row 4600 and
# cuts the tissue off. OutOfBoundsOverlay is cut off at three sides; the metal in its upper right
# corner is no breast.
BY_HAND = {
    "GH133": ((0, 2244, 1162, 2394), True),
    "MG1_J2KI": ((0, 4600, 0, 2058), False),
    "OutOfBoundsOverlay": ((220, 788, 0, 1318), False),
}


@pytest.mark.parametrize("name", BY_HAND)
@pytest.mark.parametrize("margin", [0.0, AutoSettings().margin])
def test_boxes_of_real_mammograms(name: str, margin: float, shared_data: Path) -> None:
    path = shared_data / "mammograms" / f"{name}.dcm"
    record = read_image(Source(str(path)), bytes(32), ReadOptions())
    stored = decode(read_encoded(record)).values
    display = display_table(record.grayscale, Voi())[stored]
    (found,) = roi([display], RoiSettings(auto=AutoSettings(margin=margin)))
    edges, mirrored = BY_HAND[name]
    allowed = [0.02 * side for side in display.shape for _ in range(2)]
    off = np.abs(np.subtract((found.top, found.bottom, found.left, found.right), edges))
    assert (off <= allowed).all(), f"{found} is not {edges}"
    assert found.found
    assert found.mirror is mirrored
    assert box_quality(display, found) > 0.9
