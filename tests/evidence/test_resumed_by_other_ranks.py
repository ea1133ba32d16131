"""A run may go on with other ranks: they learn exactly what is left of the epoch."""

import random
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.evidence.lives import Life, Undisturbed, cursor, die, learned
from tests.evidence.resumed_settings import SETTINGS
from tests.evidence.small_study import write_study
from tests.evidence.training_runs import Death, Study, finish

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, full: bool) -> Study:
    """32 blocks an epoch, or 13."""
    folder = tmp_path_factory.mktemp("other-ranks")
    return write_study(folder, 40 if full else 16, {"epochs": 4 if full else 1, **SETTINGS})


@pytest.fixture(scope="module")
def undisturbed(study: Study) -> dict[tuple[int, int], list[str]]:
    """What a run on one rank learned that nothing disturbed, which is what an epoch is to be."""
    blocks = learned([Undisturbed(study).life(1)])
    frame = pd.read_parquet(study.manifest).set_index("image_id")
    train = frame[frame["fold"] != 0]
    negatives = sorted(train.index[train["cancer"] == 0])
    for epoch in {place[0] for place in blocks}:
        rows = [ids for place, ids in blocks.items() if place[0] == epoch]
        labels = train["cancer"][[name for ids in rows for name in ids if name]]
        assert sorted(labels.index[labels == 0]) == negatives  # each once
        assert labels.sum() == len(rows)  # one positive in each
    return blocks


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    return {}


@pytest.mark.parametrize("turns", [(2, 1), (1, 2)], ids=["2 to 1", "1 to 2"])
def test_nothing_is_left_out_and_nothing_is_learned_twice(
    turns: tuple[int, int],
    study: Study,
    undisturbed: Mapping[tuple[int, int], list[str]],
    tmp_path: Path,
    full: bool,
    facts: dict[str, Any],
    record_evidence: Callable,
) -> None:
    """Each life is killed after it saved, which is done every 8 blocks."""
    chance, out, lives = random.Random(turns[0]), tmp_path / "run", list[Life]()
    for number in range(6 if full else 1):
        ranks = turns[number % 2]
        death = Death(chance.randrange(9, 25 if full else 12) // ranks + 1)
        lives.append(die(study, out, ranks, chance.randrange(ranks), death))
    begin, ranks = cursor(out), turns[len(lives) % 2]
    finish(study, out, tmp_path / "notes", ranks)
    lives.append(Life(ranks, tmp_path / "notes", begin, cursor(out)))
    assert any(life.begin[1] for life in lives)  # in the midst of an epoch
    assert learned(lives) == undisturbed
    facts[f"from_{turns[0]}_to_{turns[1]}"] = {
        "ranks_epoch_and_block": [[life.ranks, *life.begin] for life in lives],
        "blocks": len(undisturbed),
        "images_shown": sum(name != "" for ids in undisturbed.values() for name in ids),
    }
    record_evidence("resumed_by_other_ranks", facts)
