"""The fuzzer takes files apart and together again, repeats itself, and sees what it looks for."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import numpy as np
import pytest

from dali_pipelines.verdicts import Reason, RejectError
from tests.fuzz import mutate_header, run, trial
from tests.fuzz.corpus import build_corpus
from tests.fuzz.mutants import Mutant, make_mutant
from tests.fuzz.parts import take_apart
from tests.fuzz.run import Fuzzer, run_apart

HARD = {"deflated", "pydicom image_dfl.dcm"}  # packed anew by another zlib


@pytest.fixture(scope="module")
def fuzzer() -> Iterator[Fuzzer]:
    with Fuzzer(0, None) as fuzzer:
        yield fuzzer


@pytest.fixture(autouse=True)
def forget(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "fuzzer" in request.fixturenames:
        request.getfixturevalue("fuzzer").tally.findings.clear()


def untouched(fuzzer: Fuzzer, name: str = "j2k") -> Mutant:
    seed = next(seed for seed in fuzzer.corpus if seed.name == name)
    return Mutant(0, seed, ("none",), seed.data)


def test_every_seed_comes_together_as_it_was(fuzzer: Fuzzer) -> None:
    for seed in fuzzer.corpus:
        parts = take_apart(seed.data)
        if seed.name in HARD:
            assert take_apart(parts.encode()) == parts
        else:
            assert parts.encode() == seed.data, seed.name


def test_a_mutant_is_a_function_of_seed_and_number(tmp_path: Path) -> None:
    one, other = build_corpus(tmp_path, None), build_corpus(tmp_path, None)
    for index in range(60):
        assert make_mutant(one, 3, index) == make_mutant(other, 3, index)
    assert make_mutant(one, 3, 0) != make_mutant(one, 4, 0)


def test_all_mutants_of_a_short_run_end_well() -> None:
    tally = run_apart(3, range(60), None)
    assert tally.findings == []
    assert tally.count == 60
    assert tally.good == 3
    assert {"image", "E_TRUNCATED", "E_CORRUPT"} <= set(tally.verdicts)
    assert tally.peak_child_bytes > 1 << 20


def test_an_untouched_file_is_a_picture_twice(fuzzer: Fuzzer) -> None:
    assert [outcome.code for outcome in fuzzer.run_one(untouched(fuzzer))] == ["image", "image"]
    assert fuzzer.tally.findings == []


def test_an_exception_is_a_finding_and_names_the_mutant(
    fuzzer: Fuzzer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyError("PatientName")

    monkeypatch.setattr(trial, "read_images", fail)
    fuzzer.run_one(untouched(fuzzer))
    assert "--only 0: j2k, none: KeyError" in fuzzer.tally.findings[0]


def test_an_unexpected_code_is_a_finding_and_a_crash_a_cost(
    fuzzer: Fuzzer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(reason: Reason) -> Callable:
        def raise_it(*_: object, **__: object) -> None:
            raise RejectError(reason, "for some reason")

        return raise_it

    monkeypatch.setattr(trial, "read_encoded", fail(Reason.UNEXPECTED))
    fuzzer.run_one(untouched(fuzzer))
    assert len(fuzzer.tally.findings) == 2
    monkeypatch.setattr(trial, "read_encoded", fail(Reason.DECODER_CRASH))
    fuzzer.run_one(untouched(fuzzer))
    assert len(fuzzer.tally.findings) == 2
    assert fuzzer.tally.costly == ["--only 0: j2k, none: E_DECODER_CRASH"] * 2


def test_a_hang_ends_as_a_finding(fuzzer: Fuzzer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trial, "LIMIT_S", 0.05)
    monkeypatch.setattr(trial, "read_images", lambda *_: time.sleep(60))
    assert [outcome.code for outcome in fuzzer.run_one(untouched(fuzzer))] == ["hang", "hang"]
    assert "no verdict within" in fuzzer.tally.findings[0]


@pytest.mark.parametrize("steps", [("none",), ("cut",)])
def test_another_picture_of_the_same_codestream_is_a_finding(
    steps: tuple[str, ...], fuzzer: Fuzzer, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = trial._pictured

    def lying(*arguments: object) -> trial.Outcome:
        outcome = honest(*arguments)
        return replace(outcome, values=outcome.values ^ np.uint16(1))

    monkeypatch.setattr(trial, "_pictured", lying)
    mutant = replace(untouched(fuzzer), steps=steps)
    fuzzer.run_one(mutant)
    assert "picture" in " ".join(fuzzer.tally.findings)


def test_memory_beyond_its_bound_is_a_finding(
    fuzzer: Fuzzer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "MOST_BYTES", 1 << 20)
    tally = fuzzer.run(range(0), lambda: True)
    assert [finding.split()[1] for finding in tally.findings] == ["parent", "child"]


def test_every_header_mutator_changes_the_file(fuzzer: Fuzzer) -> None:
    for mutator in set(mutate_header.MUTATORS):
        changed = 0
        for number in range(20):
            seed = fuzzer.corpus[number % len(fuzzer.corpus)]
            parts = take_apart(seed.data)
            mutator(parts, Random(number))
            changed += parts.encode() != seed.data
        assert changed >= 10, mutator.__name__
