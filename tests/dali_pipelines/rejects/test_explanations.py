"""Explanations: every code and flag has one, of two whole sentences that name no other code."""

import pytest

from dali_pipelines.rejects.explanations import explain
from dali_pipelines.verdicts import Flag, Reason

CODES = [*Reason, *Flag]


@pytest.mark.parametrize("code", CODES, ids=lambda code: f"{type(code).__name__}.{code}")
def test_every_code_is_explained_in_two_sentences(code: Reason | Flag) -> None:
    explanation = explain(code)
    for sentence in (explanation.meaning, explanation.advice):
        assert sentence[0].isupper()
        assert sentence.endswith(".")
        assert ". " not in sentence, "one sentence each"
        assert "E_" not in sentence, "a code explains no code"
        assert len(sentence) <= 160


def test_no_two_codes_mean_the_same() -> None:
    meanings = [explain(code).meaning for code in CODES]
    assert len(set(meanings)) == len(meanings)


def test_what_is_not_read_may_be_an_archive_or_a_picture() -> None:
    explanation = explain(Reason.UNSUPPORTED)
    assert "archive" in explanation.meaning
    assert "detail" in explanation.meaning
    assert explanation.advice.startswith("Unpack an archive to plain files; convert a picture")


def test_a_flag_is_not_taken_for_the_reason_of_the_same_name() -> None:
    assert explain(Flag.FOR_PROCESSING) != explain(Reason.FOR_PROCESSING)
