"""Every setting of a recipe with values to change it to, and small pictures that show it."""

import dataclasses
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from dali_pipelines.recipe import Recipe
from dali_pipelines.records import Grayscale, Lut, Window

HEIGHT, WIDTH = 120, 90

# Each setting with values that differ from those of every recipe in BASES, so that some picture
# must show one of them wherever the setting counts at all.
CHANGES: Final[dict[str, tuple[Any, ...]]] = {
    "decode.reduce": (1, 2),
    "decode.cut": (7,),
    "voi.use": ("window", "lut", "none", "stored"),
    "voi.pick": ("widest", 1),
    "voi.fallback": ("identity", "reject", "min-max"),
    "voi.polarity": ("as-stored",),
    "voi.padding": ("ignored",),
    "voi.precision": ("float16",),
    "voi.luts_of": ("GE",),
    "voi.lut_range": ("shifted",),
    "stretch.use": ("none", "percentiles"),
    "stretch.low": (70.0,),
    "stretch.high": (80.0,),
    "stretch.rounding": ("nearest", "down"),
    "stretch.curve": ("sigmoid", "header"),
    "stretch.bits": (8, 16),
    "roi.method": ("none", "auto", "contour"),
    "roi.source": ("display", "min-max", "stored"),
    "roi.mirror": ("none", "chest-left", "chest-right"),
    "roi.mirror_by": ("columns", "breast"),
    "roi.mirror_share": (0.05, 0.5),
    "roi.auto.threshold": (0.2,),
    "roi.auto.margin": (0.2,),
    "roi.auto.min_area": (0.9,),
    "roi.contour.level": (120,),
    "roi.contour.mask": (True,),
    "roi.contour.drop_last": (True,),
    "roi.component.level": (120,),
    "roi.otsu.size": (30,),
    "roi.otsu.percentile": (50.0,),
    "roi.otsu.min_area": (0.9,),
    "roi.profile.columns": (0.6,),
    "roi.profile.rows": (0.6,),
    "roi.profile.smooth": (0.2,),
    "roi.run.level": (120,),
    "roi.run.central": (0.2,),
    "roi.mean_profile.threshold": (0.7,),
    "roi.mean_profile.buffer": (1,),
    "roi.window.size": ((40, 30),),
    "roi.window.erode": (12,),
    "roi.window.margin": (1,),
    "resize.size": ((31, 47),),
    "resize.fit": ("pad", "pad-first", "width", "keep", "stretch"),
    "resize.align": ("left", "center"),
    "resize.filter": ("area", "linear", "triangle"),
    "resize.bits": (8, 16, None),
    "resize.rounding": ("nearest", "down"),
    "resize.per_image": ("none", "min-max", "standardize"),
    "resize.per_image_bits": (8, None),
    "resize.mean": (0.25,),
    "resize.std": (0.25,),
    "resize.channels": (1, 3),
    "resize.dtype": ("float16", "bfloat16"),
}
SMALL: Final = ("resize.size=[48, 40]",)
COLUMNS: Final = ("roi.mirror_by=columns", "roi.mirror_share=0.25")
BASES: Final[dict[str, tuple[str, ...]]] = {  # one for each method, fit and use among them
    "auto": (),
    "contour": ("roi.method=contour", *COLUMNS, "resize.fit=pad-first", "resize.bits=8"),
    "component": ("roi.method=component", "roi.mirror=none", "resize.fit=width", "decode.cut=5"),
    "otsu": ("roi.method=otsu", "roi.otsu.size=64", "roi.mirror=none", "roi.source=min-max",
             "voi.use=window"),
    "profile": ("roi.method=profile", *COLUMNS, "stretch.use=percentiles", "resize.filter=linear"),
    "run": ("roi.method=run", "roi.mirror=none", "voi.use=stored", "resize.per_image=min-max",
            "stretch.use=percentiles", "resize.fit=stretch"),
    "mean-profile": ("roi.method=mean-profile", *COLUMNS, "roi.mean_profile.buffer=4",
                     "resize.size=[48, 64]"),
    "window": ("roi.method=window", *COLUMNS, "roi.window.size=[100, 70]", "roi.window.erode=3",
               "roi.window.margin=6", "resize.fit=keep",
        "resize.size=[110, 80]", "voi.use=none"),
    "none": ("roi.method=none", "roi.mirror=none", "voi.use=lut", "voi.fallback=min-max"),
}  # fmt: skip


def leaves(settings: type | Any = Recipe, prefix: str = "") -> Iterator[str]:
    """The dotted name of every setting of a recipe but its name."""
    hints = {f.name: f.default_factory for f in dataclasses.fields(settings)}
    for name, section in hints.items():
        if name == "detector":
            continue  # which needs a model: tests/dali_pipelines/test_detector.py
        if dataclasses.is_dataclass(section):
            yield from leaves(section, f"{prefix}{name}.")
        elif prefix:
            yield prefix + name


def pictures() -> dict[str, tuple[np.ndarray, Grayscale]]:
    """Stored values (HEIGHT, WIDTH) uint16 of 12 bits and how to read them."""
    windows = (Window(2049.3, 3001.7), Window(2300.0, 3500.0))
    ramp = np.arange(4096)
    luts = tuple(Lut(0, 12, c.astype("<u2").tobytes()) for c in (ramp**2 // 4096, 2 * ramp[:2048]))
    dark = Grayscale(12, 12, windows=(Window(3300.0, 1000.0),))
    line = breast(6)
    line[:, -3:] = 4095
    return {
        "padding": (breast(1), Grayscale(12, 12, windows=windows, padding=(2000, 2300))),
        "inverted": (4095 - breast(2), Grayscale(12, 12, windows=windows, invert=True)),
        "no view": (breast(3)[:, ::-1] // 2 + 300, Grayscale(12, 12, function="SIGMOID")),
        "LUTs": (breast(4)[:, ::-1], Grayscale(12, 12, voi_luts=luts[::-1], padding=(900, 990))),
        "hard window": (breast(5), dark),
        "edge line": (line, Grayscale(12, 12, windows=windows[:1])),
    }


def breast(seed: int) -> np.ndarray:
    """A noisy half ellipse at the left, a bright label at the right; air is 0 with specks."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    radius = np.hypot((rows - 55) / 38, columns / (45 + 3 * seed))
    tissue = 800 + 2400 * (1 - radius) + rng.normal(0, 250, radius.shape)
    values = np.where(
        radius < 1, np.clip(tissue, 150, 4095), 60 * (rng.random(radius.shape) < 0.02)
    )
    values[8:20, 60:84] = 4000
    return values.astype(np.uint16)
