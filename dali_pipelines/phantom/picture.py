"""One image of one patient: anatomy, lesions, label and detector put together, with its header."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.phantom.anatomy import Grid, Outline, draw_outline, draw_tissue
from dali_pipelines.phantom.detector import draw_windows, expose
from dali_pipelines.phantom.header import HeaderSpec
from dali_pipelines.phantom.lesions import LesionKind, add_lesion, add_speck
from dali_pipelines.phantom.marker import draw_marker
from dali_pipelines.phantom.patients import (
    ImagePlan,
    PhantomSettings,
    choose_coding,
    image_uid,
    make_rng,
)
from dali_pipelines.phantom.texture import Field, enlarge

FIELD_MM = 240.0  # height of the picture: one side of a 24 cm x 30 cm plate
TEXTURE_PX = 1024  # a larger raster takes its tissue, which is smooth, from one of about this size


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a lesion lies in the stored image: center (row, column) and radius in px."""

    kind: LesionKind
    row_px: float
    column_px: float
    radius_px: float


@dataclass(frozen=True, slots=True)
class Picture:
    """Stored values (H, W), the header to write them under, and where the lesions are.

    `breast` (H, W) is True where there is tissue.
    """

    values: NDArray[np.uint16]
    header: HeaderSpec
    marks: tuple[Mark, ...]
    breast: NDArray[np.bool_]


def draw_picture(settings: PhantomSettings, plan: ImagePlan) -> Picture:
    """The picture that is planned; the same arguments always give the same picture."""
    patient = plan.patient
    rng = make_rng(settings.seed, 2, patient.number, plan.index)
    grid = Grid(settings.height, settings.width, FIELD_MM / settings.height)
    outline = _outline(rng, settings, plan, grid)
    attenuation = _draw_breast(rng, grid, outline, patient.dense_share)
    marks = _add_lesions(rng, attenuation, grid, outline, plan)
    if plan.side == "R":  # drawn like a left breast; only the label must stay readable
        attenuation = attenuation[:, ::-1]
        marks = tuple(_mirrored(mark, grid.columns) for mark in marks)
    header = _header(rng, settings, plan)
    marker = draw_marker(grid.shape, f"{plan.side} {plan.view}")
    vendor = patient.vendor.at(header.precision)
    values = expose(rng, attenuation, marker, vendor, patient.exposure)
    return Picture(values, header, marks, attenuation > 0)


def _outline(
    rng: np.random.Generator, settings: PhantomSettings, plan: ImagePlan, grid: Grid
) -> Outline:
    both = make_rng(settings.seed, 3, plan.patient.number)  # shared by the woman's four images
    size_mm = grid.rows * grid.spacing_mm, grid.columns * grid.spacing_mm
    return draw_outline(both, plan.view, size_mm).varied(rng)


def _draw_breast(
    rng: np.random.Generator, grid: Grid, outline: Outline, dense_share: float
) -> Field:
    """Healthy tissue at the size of `grid`, with up to three specks that are benign."""
    shrink = math.ceil(max(grid.shape) / TEXTURE_PX)
    coarse = Grid(
        math.ceil(grid.rows / shrink), math.ceil(grid.columns / shrink), grid.spacing_mm * shrink
    )
    attenuation = enlarge(draw_tissue(rng, coarse, outline, dense_share), grid.shape)
    for _ in range(int(rng.integers(0, 4))):
        center = outline.at(float(rng.uniform(0.2, 0.8)), float(rng.uniform(-0.6, 0.6)))
        add_speck(attenuation, grid, center, float(rng.uniform(0.3, 1.8)), 0.40)
    return attenuation


def _add_lesions(
    rng: np.random.Generator, attenuation: Field, grid: Grid, outline: Outline, plan: ImagePlan
) -> tuple[Mark, ...]:
    marks = []
    for lesion in plan.patient.lesions if plan.has_cancer else ():
        y, x = lesion.center_mm(outline, plan.view)
        add_lesion(rng, attenuation, grid, lesion, (y, x))
        pixels = [round(length / grid.spacing_mm, 2) for length in (y, x, lesion.radius_mm)]
        marks.append(Mark(lesion.kind, pixels[0] - 0.5, pixels[1] - 0.5, pixels[2]))
    return tuple(marks)


def _mirrored(mark: Mark, columns: int) -> Mark:
    return Mark(mark.kind, mark.row_px, columns - 1 - mark.column_px, mark.radius_px)


def _header(rng: np.random.Generator, settings: PhantomSettings, plan: ImagePlan) -> HeaderSpec:
    patient, coding = plan.patient, choose_coding(settings, plan.number)
    # JPEG-LS comes from an encoder that writes 8 or 16 bits, so those images are made with 16.
    vendor = patient.vendor.at(16) if coding.syntax == "jpegls" else patient.vendor
    return HeaderSpec(
        syntax=coding.syntax,
        precision=vendor.precision,
        predictor=coding.predictor,
        tables_first=coding.tables_first,
        fragments=coding.fragments,
        offset_table=coding.offset_table,
        photometric=vendor.photometric,
        windows=draw_windows(rng, vendor, patient.exposure),
        function=vendor.function,
        padding=vendor.padding,
        patient_id=patient.patient_id,
        study_uid=patient.study_uid,
        series_uid=image_uid(settings, patient.number, "series", plan.index),
        sop_uid=image_uid(settings, patient.number, "image", plan.index),
        laterality=plan.side,
        view=plan.view,
        age_years=patient.age_years,
        manufacturer=vendor.name,
        model=vendor.model,
        spacing_mm=FIELD_MM / settings.height,
    )
