"""What there is of a run, its scores and its data -> the report; each part only where it can be."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import pandas as pd

from dali_pipelines.kept_folds import FOLD
from dali_pipelines.loader import Loader
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.splits import Receipt, leakage_receipt
from dali_pipelines.verdicts import Reject
from trainer.aggregation.levels import LEVELS, Level, aggregate
from trainer.decisions.decision import Decision
from trainer.distributed import Device
from trainer.evaluation.joining import join_manifest
from trainer.evaluation.options import EvaluationOptions
from trainer.intervals.interval import Interval
from trainer.prediction.scorers import Scorer, Scorers
from trainer.report.data_card import data_card
from trainer.report.exam_choice import choose_exams
from trainer.report.exam_pictures import Painter, Picture
from trainer.report.exams import HungGroup, hang_exams
from trainer.report.flattery import Flattery, flattery_of
from trainer.report.learning_curves import learning_curves
from trainer.report.limits import limits_of
from trainer.report.model_facts import model_facts
from trainer.report.page import Report
from trainer.report.reject_list import reject_list
from trainer.report.run_facts import RunFacts
from trainer.report.score_part import score_part
from trainer.report.setup_facts import setup_of
from trainer.report.words import plural
from trainer.report.work_facts import decoded_counts, pass_speeds, stream_counts
from trainer.scores.table import rows_behind
from trainer.source import OpenSource

_LABEL: Final = "cancer"
_DEFAULT_LEVEL: Final[Level] = "breast"


@dataclass(frozen=True, slots=True)
class Sources:
    """What a report may be made from; what is None or empty is not there.

    `scores` has a row an image, and `scored` is a sentence on whose they are. `scorers` paint heat
    maps; `key` names inputs that have no image_id. `is_out_of_fold` says that no image was scored
    by a network that learned from it, and that the decision was chosen on these scores;
    `is_scan_known` that the rejects of the scan are among `rejects`, if there were any.
    `nested` are figures of the decision on patients who had no part in its choice.
    """

    scores: pd.DataFrame | None = None
    scored: str = ""
    evaluation: EvaluationOptions = field(default_factory=EvaluationOptions)
    manifest: pd.DataFrame | None = None
    runs: Sequence[RunFacts] = ()
    scorers: Scorers | None = None
    rejects: Sequence[Reject] = ()
    key: bytes | None = None
    is_out_of_fold: bool = False
    is_scan_known: bool = True
    nested: Mapping[str, tuple[float, Interval | None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """How the page is to be: `exams` of each kind are shown, 0 for no picture at all.

    `device` and `loader` are of what paints them.
    """

    title: str = "MammoStream report"
    notice: str = ""
    exams: int = 2
    device: Device = "auto"
    loader: LoaderSettings = field(default_factory=LoaderSettings)
    open_source: OpenSource = Loader


def build_report(sources: Sources, options: ReportOptions) -> Report:
    """The report; raises DatasetError where scores and manifest are not of the same images."""
    manifest, decision = sources.manifest, sources.evaluation.decision
    scores = _labeled(sources)
    main = _main_level(sources)
    by = (FOLD,) if sources.is_out_of_fold else ()
    asked = replace(sources.evaluation, by=by)
    part = score_part(scores, asked, main) if scores is not None else None
    data = None if manifest is None else data_card(manifest)
    receipt = _receipt(manifest)
    flattery = _flattery(scores, sources)
    return Report(
        title=options.title,
        summary=_summary(sources),
        notice=options.notice,
        scored=f"{sources.scored}{_shared(scores)}{part.pooled if part else ''}".strip(),
        flattery=flattery,
        nested=sources.nested,
        decided=_decided(decision, flattery),
        calibrated=_calibrated(decision, main),
        scores=part,
        exams=_exams(scores, sources, options),
        recipe_name=", ".join(recipe.name for recipe in sources.scorers.recipes)
        if sources.scorers
        else "",
        data=data,
        receipt=receipt,
        streams=[] if manifest is None else stream_counts(manifest),
        curves=learning_curves(sources.runs),
        runs=len(sources.runs),
        speeds=pass_speeds(sources.runs),
        decoded=decoded_counts(sources.runs),
        rejects=reject_list(sources.rejects, _inputs(sources), sources.key),
        setup=setup_of(sources.runs[0]) if sources.runs else None,
        model=model_facts(sources.scorers, sources.runs),
        limits=limits_of(data, part, receipt, flattery),
    )


def _labeled(sources: Sources) -> pd.DataFrame | None:
    """The scores with what the manifest says of them, None where no label is known."""
    scores, manifest = sources.scores, sources.manifest
    if scores is None:
        return None
    is_told = manifest is not None and _LABEL in manifest.columns
    if manifest is not None and (is_told or _LABEL in scores.columns):
        scores = join_manifest(scores, manifest)
    return scores if _LABEL in scores.columns and scores[_LABEL].notna().any() else None


def _main_level(sources: Sources) -> Level:
    """The level that the decision, or else the monitored figure, is of."""
    if sources.evaluation.decision is not None:
        return sources.evaluation.decision.level
    monitored = str(sources.runs[0].settings.get("monitor", "")) if sources.runs else ""
    return next((k for k in LEVELS if k == monitored.partition("/")[0]), _DEFAULT_LEVEL)


def _receipt(manifest: pd.DataFrame | None) -> Receipt | None:
    """What the folds of the manifest did, None where it has none."""
    if manifest is None or FOLD not in manifest.columns or not manifest[FOLD].notna().any():
        return None
    return leakage_receipt(manifest)


def _inputs(sources: Sources) -> int | None:
    """How many inputs the scan met: its images, and what gave none; None where nobody knows."""
    if sources.manifest is None or not sources.is_scan_known:
        return None
    known = set(sources.manifest["image_id"])
    return len(known) + len(
        {(r.path, r.member) for r in sources.rejects if r.image_id not in known}
    )


def _summary(sources: Sources) -> str:
    parts = []
    if sources.scores is not None:
        parts.append(f"Scores of {len(sources.scores):,} images")
    if sources.manifest is not None:
        total = f"{len(sources.manifest):,} images"
        parts.append(f"of a manifest of {total}" if parts else f"A manifest of {total}")
    return " ".join(parts) + "." if parts else "A run."


def _flattery(scores: pd.DataFrame | None, sources: Sources) -> Flattery:
    if scores is None:
        return Flattery()
    return flattery_of(
        scores, sources.manifest, sources.scorers, is_out_of_fold=sources.is_out_of_fold
    )


def _shared(scores: pd.DataFrame | None) -> str:
    if scores is None or "unit_id" not in scores.columns:
        return ""
    return (
        " The network scores the views of a breast or an exam together: each of them has that one "
        "score."
    )


def _decided(decision: Decision | None, flattery: Flattery) -> str:
    if decision is None:
        return ""
    chosen = decision.chosen_on
    names = {"n": plural(decision.level), "npos": "with cancer", "patients": "patients"}
    counted = {name: chosen.get(key) for key, name in names.items()}
    on = ", ".join(f"{value:,} {name}" for name, value in counted.items() if isinstance(value, int))
    flatters = (
        "Those are the scores above, which it flatters."
        if flattery.is_chosen_here
        else "Where those are the scores above, it flatters them."
    )
    return (
        f"The threshold was chosen by the rule {decision.rule} on scores by {decision.level}"
        f"{f' ({on})' if on else ''}. {flatters}"
    )


def _calibrated(decision: Decision | None, main: Level) -> str:
    is_calibrated = decision is not None and decision.calibration is not None
    if is_calibrated and decision is not None and decision.level == main:
        return "gray: scores; colored: calibrated risk"
    return "scores as they are, not calibrated"


def _exams(
    scores: pd.DataFrame | None, sources: Sources, options: ReportOptions
) -> list[HungGroup]:
    """The chosen exams; none where there is no network, no image or nothing to choose from."""
    if scores is None or sources.manifest is None or sources.scorers is None or not options.exams:
        return []
    named = scores if "exam_id" in scores.columns else scores.assign(exam_id=scores["patient_id"])
    table = aggregate(named[named["prob"].notna()], "exam", sources.evaluation.how)
    rows = rows_behind(named, sources.manifest)
    painters = _Painters(sources.scorers.members, options)
    return hang_exams(choose_exams(table, options.exams), named, rows, painters.paint)


@dataclass(frozen=True, slots=True)
class _Painters:
    """Each image is painted by the network that held its fold out, else by the first one."""

    members: Sequence[Scorer]
    options: ReportOptions

    def paint(self, frame: pd.DataFrame, weights: Mapping[str, float]) -> dict[str, Picture]:
        """A picture by image_id of each row of a manifest that gives an image."""
        by_fold = {m.held_out: k for k, m in reversed(list(enumerate(self.members)))}
        folds = frame[FOLD] if FOLD in frame.columns else pd.Series(-1, frame.index)
        owners = folds.map(lambda fold: 0 if pd.isna(fold) else by_fold.get(int(fold), 0))
        pictures: dict[str, Picture] = {}
        for owner, rows in frame.groupby(owners.to_numpy()):
            member, how = self.members[int(str(owner))], self.options
            painter = Painter(member, how.open_source, how.device, how.loader)
            pictures |= painter.paint(rows.reset_index(drop=True), weights)
        return pictures
