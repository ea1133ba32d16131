"""What `mammo evaluate` prints for people: tables that fit a terminal of 80 columns."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from dali_pipelines.rejects.counts import counted

if TYPE_CHECKING:
    from trainer.aggregation.levels import Level
    from trainer.evaluation.evaluation import Evaluation, LevelFigures, Subgroup
    from trainer.intervals.interval import Interval

    Levels = Mapping[Level, LevelFigures]
    Row = tuple[str, Callable[[LevelFigures], str]]

_NAME: Final = 16  # characters of a figure's name
_FIGURE: Final = 21  # of a figure with its interval: "0.851 (0.812-0.890)"
_ABREAST: Final = 3  # levels that fit beside each other
_VALUE: Final = 16  # of the value of a subgroup, where two figures stand beside it
_LONG_VALUE: Final = 36  # where one does
_MARK: Final = " *"


def evaluation_text(evaluation: "Evaluation", level: "Level") -> str:
    """All levels, the subgroups on one level, and what to know of them."""
    parts = [_heading(evaluation, level), *_level_tables(_shown(evaluation, level))]
    for name, groups in evaluation.subgroups.items():
        parts.append(_subgroup_table(name, groups, level))
    return "\n\n".join(filter(None, [*parts, _notes(evaluation, level)]))


def number_text(value: float | int | None, interval: "Interval | None" = None) -> str:
    """A count with its thousands, a figure with its interval, "-" where nothing defines it."""
    if value is None:
        return "-"
    if isinstance(value, int):
        return f"{value:,}"
    ends = f" ({interval.low:.3f}-{interval.high:.3f})" if interval else ""
    return f"{value:.3f}{ends}"


def _heading(evaluation: "Evaluation", level: "Level") -> str:
    options = evaluation.options
    unlabeled = f", {evaluation.unlabeled:,} without are left out" if evaluation.unlabeled else ""
    lines = [
        f"{counted(evaluation.images, 'image')} with a label{unlabeled}",
        f"views/breasts/exams are joined by {options.how}",
    ]
    if options.repeats:
        percent = round(100 * options.confidence)
        lines.append(
            f"(low-high): {percent} % intervals from {options.repeats:,} draws of patients"
        )
    if len(_shown(evaluation, level)) < len(evaluation.levels):
        lines.append("each patient has one exam: the figures of patients are those of exams too")
    return "\n".join(lines)


def _shown(evaluation: "Evaluation", level: "Level") -> "Levels":
    """The levels to print: exams where patients have several, or the figures ask for them."""
    levels, decision = evaluation.levels, evaluation.options.decision
    is_asked_for = "exam" in (level, decision.level if decision else None)
    if is_asked_for or not {"exam", "patient"} <= levels.keys():
        return levels
    if _count(levels["exam"]) > _count(levels["patient"]):
        return levels
    return {name: found for name, found in levels.items() if name != "exam"}


def _level_tables(shown: "Levels") -> Iterator[str]:
    """Tables of as many levels as fit."""
    names = list(shown)
    size = _ABREAST if len(names) <= _ABREAST else -(-len(names) // 2)
    for start in range(0, len(names), size):
        yield _level_table({name: shown[name] for name in names[start : start + size]})


def _count(found: "LevelFigures") -> int:
    return int(found.figures["n"] or 0)


def _level_table(levels: "Levels") -> str:
    heads = [level + (_MARK if found.is_small else "") for level, found in levels.items()]
    lines = [_line("", heads)]
    for name, cell in _rows(levels):
        lines.append(_line(name, [cell(found) for found in levels.values()]))
    return "\n".join(lines)


def _line(name: str, cells: Sequence[str]) -> str:
    return f"{name:{_NAME}}" + "".join(f"{cell:>{_FIGURE}}" for cell in cells)


def _rows(levels: "Levels") -> "Iterator[Row]":
    """What stands in each line, in the order of the figures."""
    for name in dict.fromkeys(name for found in levels.values() for name in found.figures):
        if name == "precision":  # the first that needs it
            yield "threshold", _threshold
        yield name, _cell(name)
        if name == "auroc" and any(found.delong for found in levels.values()):
            yield "  by DeLong", _delong
        if any(name in (found.risk or {}) for found in levels.values()):
            yield "  calibrated", _calibrated(name)


def _threshold(found: "LevelFigures") -> str:
    return "-" if found.threshold is None else f"{found.threshold:.4f}"


def _cell(name: str) -> "Callable[[LevelFigures], str]":
    return lambda found: number_text(found.figures.get(name), found.intervals.get(name))


def _delong(found: "LevelFigures") -> str:
    return number_text(found.figures["auroc"], found.delong) if found.delong else "-"


def _calibrated(name: str) -> "Callable[[LevelFigures], str]":
    return lambda found: number_text((found.risk or {}).get(name))


def _subgroup_table(name: str, groups: "Sequence[Subgroup]", level: "Level") -> str:
    """Each value with its counts, the AUROC and, where there is room, a sensitivity."""
    has_room = max(len(group.value) for group in groups) <= _VALUE - len(_MARK)
    has_threshold = any(group.levels[level].threshold is not None for group in groups)
    figures = ["auroc"]
    if has_room:
        figures.append("recall" if has_threshold else "sens_at_spec90")
    width = _VALUE if has_room else _LONG_VALUE
    heads = "".join(f"{figure:>{_FIGURE - 1}}" for figure in figures)
    lines = [f"{level} by {name}", f"{'':{width}}{'patients':>9} {'n':>7} {'npos':>6}{heads}"]
    for group in groups:
        found = group.levels[level]
        value = group.value[: width - len(_MARK)] + (_MARK if found.is_small else "")
        cells = "".join(f"{_cell(figure)(found):>{_FIGURE - 1}}" for figure in figures)
        n, npos = (number_text(found.figures[count]) for count in ("n", "npos"))
        lines.append(f"{value:{width}}{found.patients:>9,} {n:>7} {npos:>6}{cells}")
    return "\n".join(lines)


def _notes(evaluation: "Evaluation", level: "Level") -> str:
    """What to know of the tables above, a line each."""
    from trainer.evaluation.evaluation import FEW, FEWEST, NEAR_ONE

    groups = [group for column in evaluation.subgroups.values() for group in column]
    shown = [*evaluation.levels.values(), *(group.levels[level] for group in groups)]
    notes = []
    if any(found.is_small for found in shown):
        notes.append(
            f"*  under {FEWEST} patients with, or without, cancer: such figures are mostly luck"
        )
    if evaluation.options.repeats and any(found.is_too_sure for found in shown):
        notes.append(
            f"!  an AUROC over {NEAR_ONE} of under {FEW} patients with cancer: such intervals\n"
            "   are too narrow: with 20 at 0.97, 92.5 % of them held the truth, not 95 %"
        )
    notes += _flattering(evaluation)
    if all(found.threshold is None for found in evaluation.levels.values()):
        notes.append("-  no threshold is known: for precision, recall and F give --threshold")
    return "\n".join(notes)


def _flattering(evaluation: "Evaluation") -> list[str]:
    """What was chosen on the scores that it is judged on."""
    options = evaluation.options
    if options.decision is None or not options.is_chosen_here:
        return []
    chosen = ["threshold"] if options.threshold is None else []
    chosen += ["calibration"] if options.decision.calibration else []
    if not chosen:
        return []
    return [
        f"!  chosen on these very images: {' and '.join(chosen)} of the {options.decision.level};\n"
        "   the figures that follow from it flatter"
    ]
