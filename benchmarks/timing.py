"""Repeats to figures: the median and the spread of what was timed."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

DIGITS: Final = 4  # significant ones; repeats differ in the second or third


@dataclass(frozen=True, slots=True)
class Sample:
    """One pass: wall seconds, and CPU seconds of all its processes (None where not known)."""

    wall_s: float
    cpu_s: float | None


@dataclass(frozen=True, slots=True)
class Measurement:
    """The timed passes of one contender, and its memory in MiB (None where not known).

    `baseline_mib` is what its process held when all was imported and nothing begun, `peak_mib` the
    most it held from then to the end of the first, untimed pass.
    """

    samples: tuple[Sample, ...]
    baseline_mib: float | None = None
    peak_mib: float | None = None


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and greatest, rounded to DIGITS."""
    return {
        "median": round_off(statistics.median(values)),
        "min": round_off(min(values)),
        "max": round_off(max(values)),
    }


def round_off(value: float) -> float:
    """The value with DIGITS significant digits."""
    return float(f"{value:.{DIGITS}g}")


def figures(measured: Measurement, images: int, megapixels: float) -> dict[str, Any]:
    """What one pass over `images` images of together `megapixels` MP comes to, for JSON."""
    walls_s = [sample.wall_s for sample in measured.samples]
    cpus_s = [sample.cpu_s for sample in measured.samples if sample.cpu_s is not None]
    row: dict[str, Any] = {
        "img_s": spread([images / wall_s for wall_s in walls_s]),
        "mp_s": spread([megapixels / wall_s for wall_s in walls_s]),
        "cpu_s_per_image": spread([cpu_s / images for cpu_s in cpus_s]) if cpus_s else None,
    }
    return row | memory_figures(measured)


def memory_figures(measured: Measurement) -> dict[str, int | None]:
    """Memory in whole MiB: the peak, the import baseline, and the peak above it."""
    base, peak = measured.baseline_mib, measured.peak_mib
    if base is None or peak is None:
        return dict.fromkeys(("peak_mib", "import_mib", "above_import_mib"))
    return {
        "peak_mib": round(peak),
        "import_mib": round(base),
        "above_import_mib": round(peak - base),
    }


def ratios(ours: Measurement, theirs: Measurement) -> dict[str, float]:
    """How many times as fast ours is on the same images, round by round."""
    pairs = zip(ours.samples, theirs.samples, strict=True)
    return spread([their.wall_s / our.wall_s for our, their in pairs])


def overlap(step_s: float, loader_s: float, both_s: float) -> float:
    """How much of the shorter of two jobs is hidden behind the longer: 1 all of it, 0 nothing.

    Below 0 where they hinder each other, as on a CPU whose cores both want.
    """
    return round((step_s + loader_s - both_s) / min(step_s, loader_s), 2)
