"""Who is screened and how her images are stored: settings -> patients and image plans.

A patient is a pure function of (settings, her number), so any worker may draw her at any time.
"""

from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np

from dali_pipelines.errors import ConfigError
from dali_pipelines.phantom.anatomy import DENSE_SHARE, Density, View
from dali_pipelines.phantom.detector import VENDORS, Exposure, Vendor, draw_exposure
from dali_pipelines.phantom.encode import SYNTAXES
from dali_pipelines.phantom.header import make_uid
from dali_pipelines.phantom.lesions import Lesion, LesionKind, draw_lesion
from dali_pipelines.settings import closest

Side = Literal["L", "R"]
IMAGES: Final[tuple[tuple[Side, View], ...]] = (
    ("L", "CC"),
    ("L", "MLO"),
    ("R", "CC"),
    ("R", "MLO"),
)
MIXED: Final = "mixed"


@dataclass(frozen=True, slots=True)
class PhantomSettings:
    """What to write. `prevalence` is the share of patients with cancer in one breast.

    `syntax` is a name of `encode.SYNTAXES`, or "mixed" for all of them in turn. `workers` 0 uses
    every core; it does not change the files.
    """

    patients: int = 60
    prevalence: float = 0.4
    height: int = 512
    width: int = 416
    syntax: str = MIXED
    seed: int = 0
    workers: int = 0

    def __post_init__(self) -> None:
        if self.patients < 1:
            raise ConfigError(f"patients must be at least 1, not {self.patients}")
        if not 0 <= self.prevalence <= 1:
            raise ConfigError(f"prevalence must be within 0 and 1, not {self.prevalence}")
        if not (64 <= self.height <= 16384 and 64 <= self.width <= 16384):
            raise ConfigError(
                f"size must be 64 to 16,384 pixels a side, not {self.height}x{self.width}"
            )
        if self.syntax not in (MIXED, *SYNTAXES):
            known = closest(self.syntax, (MIXED, *SYNTAXES))
            raise ConfigError(f"no syntax {self.syntax!r}.{known}")
        if self.seed < 0 or self.workers < 0:
            raise ConfigError("seed and workers must not be negative")


@dataclass(frozen=True, slots=True)
class Coding:
    """How one image is coded and packed; as in HeaderSpec."""

    syntax: str
    predictor: int = 1
    tables_first: bool = False
    fragments: int = 1
    offset_table: Literal["basic", "empty"] = "basic"


# 17 codings for four images a patient: every view meets every coding.
_MIXTURE: Final = (
    Coding("j2k"),
    Coding("jpeg_sv1"),
    Coding("htj2k"),
    Coding("j2k_boxed"),
    Coding("jpeg_lossless", 7),
    Coding("raw"),
    Coding("jpeg_sv1", tables_first=True),
    Coding("j2k", fragments=3, offset_table="empty"),
    Coding("jpegls"),
    Coding("jpeg_lossless", 2, tables_first=True),
    Coding("rle"),
    Coding("jpeg_lossless", 3),
    Coding("implicit"),
    Coding("jpeg_lossless", 4, tables_first=True),
    Coding("deflated"),
    Coding("jpeg_lossless", 5),
    Coding("jpeg_lossless", 6, tables_first=True),
)


@dataclass(frozen=True, slots=True)
class Patient:
    """One screened woman. `lesions` lie in the breast `cancer_side`, "" where she is healthy."""

    number: int
    patient_id: str
    study_uid: str
    age_years: int
    density: Density
    dense_share: float
    vendor: Vendor
    exposure: Exposure
    cancer_side: Side | Literal[""] = ""
    lesions: tuple[Lesion, ...] = field(default=())


@dataclass(frozen=True, slots=True)
class ImagePlan:
    """One of a patient's four images; `index` is its place in IMAGES."""

    patient: Patient
    index: int

    @property
    def side(self) -> Side:
        """The breast."""
        return IMAGES[self.index][0]

    @property
    def view(self) -> View:
        """The view."""
        return IMAGES[self.index][1]

    @property
    def number(self) -> int:
        """The image's place in the set."""
        return self.patient.number * len(IMAGES) + self.index

    @property
    def has_cancer(self) -> bool:
        """Whether this breast carries the cancer."""
        return self.patient.cancer_side == self.side


def make_rng(seed: int, *stream: int) -> np.random.Generator:
    """A generator of its own for each stream, whatever was drawn from the others."""
    return np.random.default_rng([seed, *stream])


def draw_patient(settings: PhantomSettings, number: int) -> Patient:
    """Patient `number` (from 0) of the set that `settings` describe."""
    rng = make_rng(settings.seed, 1, number)
    density = rng.choice(np.array(list(DENSE_SHARE)), p=[0.15, 0.40, 0.35, 0.10]).item()
    positive = number in positive_numbers(settings)
    side: Side = "L" if rng.random() < 0.5 else "R"
    kinds: list[tuple[LesionKind, ...]] = [
        ("mass",),
        ("mass", "calcification"),
        ("calcification",),
    ]
    chosen = kinds[int(rng.choice(3, p=[0.50, 0.40, 0.10]))]
    lesions = tuple(draw_lesion(rng, kind) for kind in chosen)
    return Patient(
        number=number,
        patient_id=f"PHANTOM-{settings.seed}-{number:05d}",
        study_uid=image_uid(settings, number, "study"),
        age_years=int(rng.integers(40, 80)),
        density=density,
        dense_share=float(rng.uniform(*DENSE_SHARE[density])),
        vendor=VENDORS[number % len(VENDORS)],
        exposure=draw_exposure(rng),
        cancer_side=side if positive else "",
        lesions=lesions if positive else (),
    )


def positive_numbers(settings: PhantomSettings) -> frozenset[int]:
    """The patients with cancer: the prevalence, rounded, drawn without regard to the vendor."""
    count = round(settings.prevalence * settings.patients)
    order = make_rng(settings.seed, 0).permutation(settings.patients)
    return frozenset(order[:count].tolist())


def choose_coding(settings: PhantomSettings, image_number: int) -> Coding:
    """The coding of the set's image `image_number`; variants of a syntax take turns."""
    if settings.syntax == MIXED:
        return _MIXTURE[image_number % len(_MIXTURE)]
    predictor = 1 + image_number % 7 if settings.syntax == "jpeg_lossless" else 1
    first = settings.syntax.startswith("jpeg_") and image_number % 2 == 1
    return Coding(settings.syntax, predictor, tables_first=first)


def image_uid(settings: PhantomSettings, *parts: object) -> str:
    """A UID for a part of this set; sets of other settings share none."""
    made_by = (settings.seed, settings.patients, settings.prevalence)
    size = (settings.height, settings.width, settings.syntax)
    return make_uid("/".join(map(str, (*made_by, *size, *parts))))
