"""`mammo ensemble`: choose members among the folds of runs, and the threshold of their score."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cli.checks import ends_in, require_apart
from cli.options import aggregate_option, json_option, seed_option

if TYPE_CHECKING:
    from collections.abc import Mapping

    from trainer.aggregation.policy import Aggregation
    from trainer.decisions.calibration import Method
    from trainer.ensembles.build import Built
    from trainer.ensembles.choose import Method as Choose
    from trainer.ensembles.combine import Combine

CHOOSE: Final = ("greedy", "exhaustive", "all")
COMBINE: Final = ("prob", "logit", "rank")
CALIBRATE: Final = ("temperature", "platt", "isotonic")
_ERRORS: Final = {"brier": "Brier", "logloss": "log loss", "ece": "ECE"}


@click.command()
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN...")
@click.option(
    "-O", "--out", default="ensemble.json", type=click.Path(dir_okay=False, path_type=Path),
    callback=ends_in(".json"), help="The ensemble file; OUT_oof.csv comes beside it.",
)  # fmt: skip
@click.option(
    "--choose", "method", type=click.Choice(CHOOSE), default="greedy",
    help="One step at a time, the best of all choices, or every candidate.",
)  # fmt: skip
@click.option(
    "--figure", default="breast/auroc", metavar="LEVEL/FIGURE",
    help="What the choice is by. Threshold and calibration are of its level too: for SPR, "
    "give one of exam/...",
)  # fmt: skip
@click.option(
    "--per-fold", type=click.IntRange(min=1), metavar="N", show_default="any number",
    help="Members of a fold at most.",
)  # fmt: skip
@click.option("--weighted", is_flag=True, help="Greedy may choose one again, to weigh more.")
@click.option(
    "--combine", type=click.Choice(COMBINE), default="prob",
    help="What the mean is taken of: probabilities, logits or ranks.",
)  # fmt: skip
@aggregate_option
@click.option(
    "--rule", default="f1",
    help="What the threshold is best in: f1, f2, youden, spec90, sens90, p97.935, prior, grid.",
)  # fmt: skip
@click.option("--calibrate", type=click.Choice(CALIBRATE), help="Also give risks, fitted so.")
@click.option(
    "--groups", type=click.IntRange(2, 100), default=5,
    help="Groups of patients; each judges what was chosen without it.",
)  # fmt: skip
@seed_option("Deals the patients, and draws them for the intervals.")
@json_option
def command(
    *,
    runs: tuple[Path, ...],
    out: Path,
    method: "Choose",
    figure: str,
    per_fold: int | None,
    weighted: bool,
    combine: "Combine",
    how: "Aggregation | None",
    rule: str,
    calibrate: "Method | None",
    groups: int,
    seed: int,
    as_json: bool,
) -> None:
    r"""Choose members among the folds of runs, and the threshold of their score.

    \b
    mammo ensemble runs/b2 runs/b5 runs/convnext -O ensemble.json
    mammo predict test.parquet --ckpt ensemble.json -O predictions.csv

    A RUN is a run directory of `mammo train` that held out a fold, or, of --fold all, each of its
    folds. All must share the folds of the same images. Every fold stays in, by one or more; the
    members of each fold together weigh as much as those of another.

    An image is judged by the members that never saw it. The best choice flatters itself on the
    patients it was chosen on, so the nested figure counts: the one of patients who had no part in
    members, threshold and calibration. OUT_oof.csv has the scores that it is of. They did have one
    in the epoch of each run that was best on its fold, which flatters both figures a little.

    A threshold is of scores by the members of one fold; the mean over all folds varies less, so
    look again at what it does where there are labels. Ranks are among the images that are predicted
    together, and say nothing of one exam alone.
    """
    from trainer.aggregation.policy import Aggregation
    from trainer.ensembles.build import EnsembleOptions, build_ensemble
    from trainer.ensembles.choose import Choosing
    from trainer.ensembles.objective import parse_objective

    if weighted and method != "greedy":
        raise click.UsageError("--weighted needs --choose greedy")
    if per_fold and method == "all":
        raise click.UsageError("--per-fold needs a choice: --choose greedy or exhaustive")
    options = EnsembleOptions(
        objective=parse_objective(figure, rule),
        choosing=Choosing(method, per_fold, weighted),
        combine=combine,
        how=how or Aggregation(),
        calibration=calibrate,
        groups=groups,
        seed=seed,
    )
    built = build_ensemble(runs, options)
    _write(built, out)
    click.echo(json.dumps(_facts(built), indent=2) if as_json else _table(built, figure))
    click.echo(f"written {out}", err=True)


def _write(built: "Built", out: Path) -> None:
    """The ensemble file and the table beside it; ConfigError where one would replace an input."""
    from trainer.ensembles.ensemble_file import write_ensemble
    from trainer.scores.writing import beside, write_scores

    scores = beside(out, "oof", ".csv")
    inputs = [c.model for c in built.candidates]
    require_apart([out, scores], [*inputs, *(path.with_name("oof.csv") for path in inputs)])
    out.parent.mkdir(parents=True, exist_ok=True)
    if built.scores is not None:
        write_scores(built.scores, scores)
    else:  # one of an earlier choice would be taken for this one's
        scores.unlink(missing_ok=True)
    write_ensemble(built.ensemble, out)


def _facts(built: "Built") -> dict[str, Any]:
    """What --json prints: candidates, decision and figures."""
    decision = built.ensemble.decision
    candidates = [
        {"run": str(c.model.parent), "fold": c.fold, "alone": alone, "times": times, "groups": n}
        for c, alone, times, n in zip(
            built.candidates, built.alone, built.times, built.groups, strict=True
        )
    ]
    return {
        "candidates": candidates,
        "decision": decision.to_dict() if decision else None,
        "figures": built.ensemble.figures,
        "lost": built.lost,
    }


def _table(built: "Built", figure: str) -> str:
    """A line a candidate, then the figures of the choice."""
    width = max(len(str(c.model.parent)) for c in built.candidates)
    weights = {member.path: member.weight for member in built.ensemble.members}
    nested = built.ensemble.figures["nested"]
    lines = [f"fold  {'run':{width}}  {figure:>14}  weight  groups"]
    for c, alone, groups in zip(built.candidates, built.alone, built.groups, strict=True):
        weight = f"{weights[c.model]:.3f}" if c.model in weights else "-"
        picked = f"{groups}/{nested['groups']}" if nested else "-"
        run = f"{c.model.parent!s:{width}}"
        lines.append(f"{c.fold:4}  {run}  {_cell(alone):>14}  {weight:>6}  {picked:>6}")
    if nested:
        lines.append("groups: how many nested choices it is in, each without a group of patients")
    return "\n".join([*lines, "", *_conclusions(built, figure)])


def _conclusions(built: "Built", figure: str) -> list[str]:
    figures, name = built.ensemble.figures, figure.partition("/")[2]
    decision = built.ensemble.decision
    nested, every = figures["nested"], figures["nested_all"]
    lines = [
        f"{figure} on the patients that it was chosen on  {_cell(figures['flattering'][name])}"
    ]
    if nested:
        ends = nested["intervals"].get(name)
        shown = f"  [{ends[0]:.4f}, {ends[1]:.4f}]" if ends else ""
        lines.append(
            f"nested, on patients without a part in it  {_cell(nested['figures'][name])}{shown}"
        )
        lines.append(
            f"nested, of all {figures['candidates']} without a choice  {_cell(every[name])}"
        )
    else:
        lines.append("nested: too few patients of a class")
    if decision and decision.calibration and nested:
        lines.append(_calibration(decision.calibration.method, nested))
    if decision:
        lines.append(
            f"threshold {decision.threshold:.6g} of the {decision.level} ({decision.rule})"
        )
    if built.lost:
        lines.append(f"{built.lost:,} images left out: a run has no score for them")
    return lines


def _calibration(method: str, nested: "Mapping[str, Any]") -> str:
    """What calibration, chosen without the patients, makes of their errors."""
    changes = (
        f"{name} {_cell(nested['uncalibrated'][figure])} -> {_cell(nested['figures'][figure])}"
        for figure, name in _ERRORS.items()
    )
    return f"nested, by {method} calibration:\n  {', '.join(changes)}"


def _cell(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"
