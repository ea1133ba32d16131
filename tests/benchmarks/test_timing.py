"""The arithmetic of results, on hand-made numbers."""

import pytest

from benchmarks.timing import (
    Measurement,
    Sample,
    figures,
    memory_figures,
    overlap,
    ratios,
    round_off,
    spread,
)


def of(*walls_s: float, cpu_s: float | None = 1.0) -> Measurement:
    return Measurement(tuple(Sample(wall_s, cpu_s) for wall_s in walls_s))


def test_the_median_and_the_ends_of_repeats() -> None:
    assert spread([5.0, 1.0, 2.0, 9.0, 3.0]) == {"median": 3.0, "min": 1.0, "max": 9.0}
    assert spread([1.0, 2.0]) == {"median": 1.5, "min": 1.0, "max": 2.0}


@pytest.mark.parametrize(
    ("value", "shown"), [(123456.0, 123500.0), (0.00123456, 0.001235), (2.0, 2.0), (0.0, 0.0)]
)
def test_four_digits_are_kept(value: float, shown: float) -> None:
    assert round_off(value) == shown


def test_rates_by_hand() -> None:
    """8 images of together 40 MP in 2, 4 and 8 s of 12 CPU seconds each."""
    row = figures(of(2.0, 4.0, 8.0, cpu_s=12.0), images=8, megapixels=40.0)
    assert row["img_s"] == {"median": 2.0, "min": 1.0, "max": 4.0}
    assert row["mp_s"] == {"median": 10.0, "min": 5.0, "max": 20.0}
    assert row["cpu_s_per_image"] == {"median": 1.5, "min": 1.5, "max": 1.5}
    assert row["peak_mib"] is None


def test_cpu_time_that_is_not_known_is_none() -> None:
    assert figures(of(1.0, cpu_s=None), images=1, megapixels=1.0)["cpu_s_per_image"] is None


def test_memory_by_hand() -> None:
    measured = Measurement((), baseline_mib=300.4, peak_mib=812.9)
    wanted = {"peak_mib": 813, "import_mib": 300, "above_import_mib": 512}  # 812.9 - 300.4 = 512.5
    assert memory_figures(measured) == wanted


def test_the_ratio_is_taken_round_by_round() -> None:
    """Rounds 2 and 3 are disturbed, both alike: the ratio is not."""
    assert ratios(of(1.0, 10.0, 2.0), of(3.0, 30.0, 6.0)) == {"median": 3.0, "min": 3.0, "max": 3.0}
    assert ratios(of(2.0, 4.0, 1.0), of(1.0, 4.0, 5.0)) == {"median": 1.0, "min": 0.5, "max": 5.0}


@pytest.mark.parametrize(
    ("both_s", "share"),
    [
        (5.0, 1.0),  # the 2 s of loading cost nothing
        (7.0, 0.0),  # one after the other
        (6.0, 0.5),
        (8.0, -0.5),  # they hinder each other
    ],
)
def test_the_overlap_of_a_step_of_5_s_and_loading_of_2_s(both_s: float, share: float) -> None:
    assert overlap(5.0, 2.0, both_s) == share
