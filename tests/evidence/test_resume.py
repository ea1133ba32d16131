"""A run that is killed again and again ends as one that is not: to the bit, in all it leaves."""

import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.evidence.lives import Undisturbed, batches_behind, cursor, die
from tests.evidence.resumed_settings import SETTINGS
from tests.evidence.run_contents import contents, differences
from tests.evidence.small_study import write_study
from tests.evidence.training_runs import PREEMPTED, Death, Study, exit_codes, finish, start
from trainer.run_folder import LAST

pytestmark = pytest.mark.slow

EPOCHS, SLICE_EPOCHS = 4, 2
LONGEST_DELAY_S = 0.1  # the time of a step or two: death meets every moment of one


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, full: bool) -> Study:
    """32 blocks an epoch, or 13."""
    epochs = {"epochs": EPOCHS if full else SLICE_EPOCHS}
    return write_study(tmp_path_factory.mktemp("resume"), 40 if full else 16, epochs | SETTINGS)


@pytest.fixture(scope="module")
def undisturbed(study: Study) -> Undisturbed:
    return Undisturbed(study)


@pytest.fixture(scope="module")
def facts() -> dict[str, Any]:
    return {}


@pytest.fixture
def note(facts: dict[str, Any], record_evidence: Callable) -> Callable:
    """note(name, **found) keeps what a test found."""

    def add(name: str, **found: Any) -> None:
        facts[name] = found
        record_evidence("resume", facts)

    return add


@pytest.mark.parametrize("ranks", [1, 2, 3])
def test_kills_change_nothing(
    ranks: int, study: Study, undisturbed: Undisturbed, tmp_path: Path, full: bool, note: Callable
) -> None:
    """At random batches; and the last one while the mean of the best epochs is scored."""
    if ranks == 3 and not full:
        pytest.skip("the slice has runs of one and of two ranks")
    kills = (20 if ranks < 3 else 10) if full else 2
    train, validate = undisturbed.batches(ranks)
    end = (EPOCHS if full else SLICE_EPOCHS) * (train + validate)
    out, chance = tmp_path / "run", random.Random(ranks)
    # none in the last validation, whose end may come before a delay is over
    places = sorted(chance.randrange(1, end - validate) for _ in range(kills - 1))
    taken_up = []
    for place in [*places, end + 1]:
        rest = max(1, place - batches_behind(out, train + validate, ranks))
        delay = chance.uniform(0, LONGEST_DELAY_S) if place < end else 0
        die(study, out, ranks, chance.randrange(ranks), Death(rest, delay))
        taken_up.append(cursor(out))
    finish(study, out, tmp_path / "notes", ranks)
    wanted = contents(undisturbed.out(ranks))
    assert differences(contents(out), wanted) == []
    note(
        f"killed_on_{ranks}_ranks",
        kills=kills,
        taken_up_from_epoch_and_block=taken_up,
        files_and_values_compared=len(wanted),
    )


@pytest.mark.parametrize("ranks", [1, 2])
def test_a_run_that_is_asked_to_stop_ends_the_same(
    ranks: int, study: Study, undisturbed: Undisturbed, tmp_path: Path, full: bool, note: Callable
) -> None:
    """By SIGTERM to one rank: the checkpoints come at steps that otherwise have none."""
    chance, train = random.Random(10 + ranks), undisturbed.batches(ranks)[0]
    out, taken_up = tmp_path / "run", []
    for number in range(6 if full else 1):
        asked = Death(chance.randrange(2, train // 2), number=signal.SIGTERM)
        processes = start(
            study, out, tmp_path / str(number), ranks, {chance.randrange(ranks): asked}
        )
        assert exit_codes(processes) == [PREEMPTED] * ranks
        taken_up.append(cursor(out))
    finish(study, out, tmp_path / "notes", ranks)
    assert differences(contents(out), contents(undisturbed.out(ranks))) == []
    note(f"stopped_on_{ranks}_ranks", stops=len(taken_up), taken_up_from=taken_up)


def test_a_flipped_byte_is_noticed_and_the_checkpoint_before_taken(
    study: Study, undisturbed: Undisturbed, tmp_path: Path, full: bool, note: Callable
) -> None:
    """Of the last checkpoint of a run that was killed in its second epoch."""
    chance, (train, validate) = random.Random(5), undisturbed.batches(1)
    flips = []
    for number in range(10 if full else 1):
        out = tmp_path / str(number)
        die(study, out, 1, 0, Death(train + validate + chance.randrange(1, train)))
        content = bytearray((out / LAST).read_bytes())
        flips.append(chance.randrange(len(content)))
        content[flips[-1]] ^= 1 << chance.randrange(8)
        (out / LAST).write_bytes(content)
        notes = tmp_path / f"{number}-notes"
        finish(study, out, notes)
        said = (notes / "0.log").read_text()
        assert "last.pt is damaged; going on from previous.pt" in said
        assert differences(contents(out), contents(undisturbed.out(1))) == []
    note("flipped", runs=len(flips), bytes_of_the_file=len(content), places=flips)
