from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from dali_pipelines.errors import DatasetError
from trainer.aggregation.levels import aggregate
from trainer.decisions.decision import choose_decision
from trainer.ensembles.build import Built, EnsembleOptions, build_ensemble
from trainer.ensembles.choose import Choosing
from trainer.ensembles.ensemble_file import read_ensemble, write_ensemble
from trainer.ensembles.objective import parse_objective
from trainer.metrics.figures import score_figures

Runs = Callable[..., list[Path]]
QUICK = EnsembleOptions(repeats=100)


def auroc(built: Built, name: str) -> float:
    figures = built.ensemble.figures[name]
    value = figures["figures"]["auroc"] if name == "nested" else figures["auroc"]
    assert isinstance(value, float)
    return value


def test_pure_noise_flatters_itself_and_the_nested_figure_says_so(runs: Runs) -> None:
    built = build_ensemble(runs([0.0] * 5, patients=120), QUICK)
    nested = built.ensemble.figures["nested"]
    low, high = nested["intervals"]["auroc"]
    assert auroc(built, "flattering") > 0.6
    assert low < 0.5 < high
    assert auroc(built, "flattering") > high


def test_noise_is_no_member_and_folds_weigh_alike(runs: Runs) -> None:
    noise, good, better = runs([0.0, 1.5, 2.0], patients=200)
    built = build_ensemble([noise, good, better], QUICK)
    members = built.ensemble.members
    weights = {fold: [m.weight for m in members if m.fold == fold] for fold in range(3)}
    assert all(sum(parts) == pytest.approx(1) for parts in weights.values())
    assert all(len(set(parts)) == 1 for parts in weights.values())
    assert {m.path.parent.parent for m in members} == {good, better}
    assert built.times[:3] == [0, 0, 0]
    assert all(1 <= groups <= 5 for groups in built.groups[6:])
    assert built.alone[:3] == pytest.approx([0.5] * 3, abs=0.15)
    assert min(x for x in built.alone[3:] if x is not None) > 0.8
    assert auroc(built, "nested") > 0.9


def test_all_of_one_cross_validation_is_its_out_of_fold_figure(runs: Runs) -> None:
    (run,) = runs([1.0])
    options = replace(QUICK, choosing=Choosing("all"), calibration="platt")
    built = build_ensemble([run], options)
    table = pd.concat([pd.read_csv(path) for path in sorted(run.glob("fold-*/oof.csv"))])
    breasts = aggregate(table, "breast")
    wanted = score_figures(breasts["cancer"].to_numpy(), breasts["prob"].to_numpy())
    figures = built.ensemble.figures
    for name in ("auroc", "auprc", "pf1", "n", "npos"):  # nothing was chosen but the threshold
        assert figures["flattering"][name] == pytest.approx(wanted[name])
        assert figures["nested"]["figures"][name] == pytest.approx(wanted[name])
    assert figures["nested_all"] == figures["nested"]["figures"]
    alone = choose_decision(
        "breast", breasts["prob"].to_numpy(), breasts["cancer"].to_numpy(), "f1", "platt"
    )
    decision = built.ensemble.decision
    assert decision is not None
    assert decision.threshold == alone.threshold
    assert decision.calibration is not None
    assert alone.calibration is not None
    assert decision.calibration.scale == pytest.approx(alone.calibration.scale)
    assert decision.chosen_on == {
        "n": 240,
        "npos": figures["flattering"]["npos"],
        "scores": "out of fold",
        "patients": 120,
        "aggregation": "mean/max/max",
        "combine": "prob",
    }
    assert built.scores is not None
    found = built.scores.set_index("image_id").loc[table["image_id"]]
    np.testing.assert_array_equal(found["logit"], table["logit"])
    assert list(built.scores.columns) == list(table.columns)


def test_the_table_is_of_the_nested_choice(runs: Runs) -> None:
    built = build_ensemble(runs([0.0] * 3, patients=45), replace(QUICK, repeats=20))
    assert built.scores is not None
    np.testing.assert_array_equal(built.scores["prob"], expit(built.scores["logit"]))
    breasts = aggregate(built.scores, "breast")
    found = score_figures(breasts["cancer"].to_numpy(), breasts["prob"].to_numpy())
    assert found["auroc"] == pytest.approx(auroc(built, "nested"))


def test_it_is_the_same_again_and_goes_into_a_file(runs: Runs, tmp_path: Path) -> None:
    folders = runs([0.5, 0.3], patients=30)
    options = replace(
        QUICK, repeats=20, objective=parse_objective("patient/f1", "grid"), combine="rank"
    )
    first, second = build_ensemble(folders, options), build_ensemble(folders, options)
    write_ensemble(first.ensemble, tmp_path / "a.json")
    write_ensemble(second.ensemble, tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    found = read_ensemble(tmp_path / "a.json")
    assert found.decision == first.ensemble.decision
    assert found.figures == first.ensemble.figures
    assert found.decision is not None
    assert (found.decision.level, found.decision.rule) == ("patient", "grid")


def test_without_a_second_positive_patient_there_is_no_honest_figure(runs: Runs) -> None:
    (run,) = runs([1.0], patients=12)
    for path in run.glob("fold-*/oof.csv"):
        table = pd.read_csv(path)
        table.assign(cancer=(table["patient_id"] == "p0").astype(int)).to_csv(path, index=False)
    built = build_ensemble([run], QUICK)
    assert built.ensemble.figures["nested"] is None
    assert built.scores is None
    for path in run.glob("fold-*/oof.csv"):
        pd.read_csv(path).assign(cancer=0).to_csv(path, index=False)
    with pytest.raises(DatasetError, match="found 0 positives"):
        build_ensemble([run], QUICK)
