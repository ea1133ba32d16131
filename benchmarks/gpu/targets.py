"""The ratios that the GPU path is judged by, from what the sections found."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from benchmarks.gpu.inputs import COMPRESSED
from benchmarks.target import Target

Sections = Mapping[str, Mapping[str, Any]]


def _share_of_bare(syntax: str) -> Callable[[Sections], float]:
    return lambda found: float(found["loader"][syntax]["share"]["median"])


def kernels_share(syntax: str) -> Callable[[Sections], float]:
    """The kernels' time of an image over the time from one image of the loader to the next."""

    def find(found: Sections) -> float:
        kernels_us = float(found["kernels"]["default"]["all_us"])
        if syntax == "jpeg_sv1":
            kernels_us += float(found["kernels"]["proof"]["all_us"])
        return kernels_us * float(found["loader"][syntax]["loader_img_s"]["median"]) / 1e6

    return find


def _resize_share(found: Sections) -> float:
    return float(found["kernels"]["default"]["resize"]["share_of_copy"])


def _times_spr(found: Sections) -> float:
    ours = float(found["loader"]["j2k"]["loader_img_s"]["median"])
    return ours / float(found["spr"]["img_s"]["median"])


def _over_serial(syntax: str) -> Callable[[Sections], float]:
    return lambda found: float(found["overlap"][syntax]["over_serial"])


def _slowdown(found: Sections) -> float:
    return float(found["overlap"]["raw"]["slowdown"])


TARGETS: Final = (
    *(
        Target(f"loader / bare decoder, {syntax}", _share_of_bare(syntax), "at least", 0.90, 0.98)
        for syntax in COMPRESSED
    ),
    *(
        Target(
            f"kernels' share of the time, {syntax}", kernels_share(syntax), "at most", 0.05, 0.01
        )
        for syntax in COMPRESSED
    ),
    Target("resize's share of the copy bandwidth", _resize_share, "at least", 0.6, 0.85),
    Target("J2K loader / SPR winner on one core", _times_spr, "at least", 40.0, 150.0),
    *(
        Target(
            f"streaming / one after the other, {syntax}",
            _over_serial(syntax),
            "at least",
            1.0,
            1.15,
        )
        for syntax in COMPRESSED
    ),
    Target("slowdown of the step by decoded input", _slowdown, "at most", 0.10, 0.02),
)


def judge_all(sections: Sections) -> list[dict[str, Any]]:
    """The table, a row for each target."""
    return [target.judge(sections) for target in TARGETS]
