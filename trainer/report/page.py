"""One self-contained HTML page about one run; it asks nothing of the network.

A report leaves the house: images and inputs are named by keyed ids alone, never by path. The page
forbids itself to load anything (Content-Security-Policy), needs no script, and is light or dark as
the reader's system is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Final

import jinja2

from dali_pipelines.atomic import replacing
from dali_pipelines.splits import Receipt
from trainer.intervals.interval import Interval
from trainer.report.data_card import DataCard
from trainer.report.exams import HungGroup
from trainer.report.flattery import Flattery
from trainer.report.learning_curves import Curves
from trainer.report.model_facts import ModelFacts
from trainer.report.reject_list import RejectList
from trainer.report.score_part import AT_THRESHOLD, FIGURES, ScorePart
from trainer.report.setup_facts import Setup
from trainer.report.words import FILTERS
from trainer.report.work_facts import PassSpeed, StreamCount

RESEARCH_USE: Final = (
    "Research use only. Not a medical device; not cleared or approved, not for diagnosis or "
    "patient management."
)


@dataclass(frozen=True, slots=True)
class Report:
    """What the page says; a part that is None or empty is left out.

    `scored` says whose scores these are, `decided` how the threshold was chosen, `nested` what
    it is worth on patients who had no part in that, `calibrated` what
    the points of the calibration chart are; `runs` counts those behind the learning curves.
    """

    title: str
    summary: str
    rejects: RejectList
    notice: str = ""
    scored: str = ""
    flattery: Flattery = Flattery()  # noqa: RUF009 - it is frozen
    decided: str = ""
    nested: Mapping[str, tuple[float, Interval | None]] = field(default_factory=dict)
    calibrated: str = ""
    scores: ScorePart | None = None
    exams: Sequence[HungGroup] = ()
    recipe_name: str = ""
    data: DataCard | None = None
    receipt: Receipt | None = None
    streams: Sequence[StreamCount] = ()
    curves: Curves | None = None
    runs: int = 0
    speeds: Sequence[PassSpeed] = ()
    decoded: Mapping[str, int] = field(default_factory=dict)
    setup: Setup | None = None
    model: ModelFacts | None = None
    limits: Sequence[str] = ()

    @property
    def anchors(self) -> Mapping[str, str]:
        """The sections that there are, by the anchor of each."""
        parts = {
            "scores": ("Scores", self.scores),
            "subgroups": ("Subgroups", self.scores and self.scores.subgroups),
            "exams": ("Exams", self.exams),
            "data": ("Data", self.data or self.receipt),
            "training": ("Training", self.curves),
            "rejects": ("Rejects", self.rejects),
            "setup": ("Settings and versions", self.setup),
        }
        return {anchor: name for anchor, (name, part) in parts.items() if part}


def write_report(report: Report, path: Path) -> None:
    """Write the page of `report` to `path`, in one step."""
    _write(_render("page.html.jinja", report), path)


def write_card(report: Report, path: Path) -> None:
    """Write the model card, MODEL_CARD.md, of the same facts; pictures and charts are left out."""
    _write(_render("card.md.jinja", report), path)


def _render(template: str, report: Report) -> str:
    """A template of this package about `report`; HTML is escaped, Markdown is not."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_template),
        autoescape=jinja2.select_autoescape(["html.jinja"], default=False),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= FILTERS
    return environment.get_template(template).render(
        report=report, figures=FIGURES, at_threshold=AT_THRESHOLD, research_use=RESEARCH_USE
    )


def _write(text: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as aside:
        aside.write_text(text, encoding="utf-8")


def _template(name: str) -> str:
    return (resources.files("trainer.report") / name).read_text(encoding="utf-8")
