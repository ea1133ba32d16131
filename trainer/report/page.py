"""One self-contained HTML page about one run; it asks nothing of the network.

A report leaves the house: images and inputs are named by keyed ids alone, never by path.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

import jinja2
import pandas as pd

from dali_pipelines.atomic import replacing
from dali_pipelines.recipe import Recipe
from trainer.aggregation.levels import LEVELS
from trainer.metrics.figures import Figures
from trainer.report.plots import roc_figure

FIGURES: Final = ("n", "npos", "auroc", "auprc", "pf1", "sens_at_spec90", "brier")


@dataclass(frozen=True, slots=True)
class RejectLine:
    """One input that gave no image, named by its keyed id."""

    input_id: str
    stage: str
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Report:
    """What the page says. `scores` has a row per image, as for `metrics.evaluate_scores`."""

    title: str
    summary: str
    notice: str
    recipe: Recipe
    scores: pd.DataFrame
    figures: Figures
    sheet_png: bytes
    inputs: int
    rejects: Sequence[RejectLine]
    facts: Mapping[str, str]


def write_report(report: Report, path: Path) -> None:
    """Write the page of `report` to `path`."""
    template = resources.files("trainer.report") / "page.html.jinja"
    page = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(
        template.read_text(encoding="utf-8")
    )
    html = page.render(
        report=report,
        figures=FIGURES,
        levels={level: _row(report.figures, level) for level in LEVELS},
        curve=_inline(roc_figure(report.scores), "image/svg+xml"),
        sheet=_inline(report.sheet_png, "image/png"),
    )
    with replacing(path) as aside:
        aside.write_text(html, encoding="utf-8")


def _row(figures: Figures, level: str) -> dict[str, str]:
    """The figures of one level as text: counts whole, others to three places, none as a dash."""
    return {name: _text(figures[f"{level}/{name}"]) for name in FIGURES}


def _text(value: float | int | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _inline(content: bytes, kind: str) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
