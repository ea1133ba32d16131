"""What `mammo evaluate --against` prints for people, on a terminal of 80 columns."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainer.aggregation.levels import Level
    from trainer.evaluation.comparison import LevelComparison
    from trainer.intervals.interval import Comparison

_LEAST_P = 0.001  # below, the normal approximation says no more than that p is small


def comparison_text(compared: "LevelComparison", level: "Level") -> str:
    """The figures of both models on one level, and how sure their difference is."""
    lines = [_line(level, "this", "other", "this - other", "p")]
    for name, found in compared.differences.items():
        lines.append(_of_figure(name, name, compared, found))
        if name == "auroc" and compared.delong is not None:
            lines.append(_of_figure("  by DeLong", name, compared, compared.delong))
    if any(compared.differences.values()):
        lines.append("p is of each figure alone, not corrected for how many there are")
    return "\n".join(lines)


def _of_figure(
    title: str, name: str, compared: "LevelComparison", found: "Comparison | None"
) -> str:
    this, other = (
        "-" if value is None else f"{value:.4f}"
        for value in (compared.figures.get(name), compared.other.get(name))
    )
    if found is None:
        return _line(title, this, other, "-", "-")
    low, high = found.interval.low, found.interval.high
    difference = f"{found.difference:+.4f} ({low:+.4f} to {high:+.4f})"
    p = f"<{_LEAST_P}" if found.p < _LEAST_P else f"{found.p:.3f}"
    return _line(title, this, other, difference, p)


def _line(title: str, this: str, other: str, difference: str, p: str) -> str:
    return f"{title:16}{this:>9}{other:>9}{difference:>31}{p:>9}"
