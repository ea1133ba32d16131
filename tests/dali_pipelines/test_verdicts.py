"""The closed set of codes: unique, and each says whether an input was skipped or failed."""

import pytest

from dali_pipelines.errors import ConfigError
from dali_pipelines.verdicts import Flag, Reason, RejectError, Status, guarded


def test_codes_are_unique_and_tell_skipped_from_failed() -> None:
    values = [code.value for code in (*Reason, *Flag)]
    assert len(values) == len(set(values))
    assert Reason.NOT_DICOM.status is Status.SKIPPED
    assert Reason.TRUNCATED.status is Status.FAILED


def test_what_was_skipped_never_passes_by_itself() -> None:
    passing = {reason for reason in Reason if reason.may_pass}
    assert {Reason.IO, Reason.TIMEOUT, Reason.OUT_OF_MEMORY} < passing
    assert Reason.TRUNCATED not in passing
    assert all(reason.status is Status.FAILED for reason in passing)


def test_a_reject_error_says_code_and_detail() -> None:
    with pytest.raises(RejectError, match=r"^E_EMPTY: the file has 0 bytes$") as caught:
        raise RejectError(Reason.EMPTY, "the file has 0 bytes")
    assert caught.value.reason is Reason.EMPTY


def test_a_file_is_the_boundary_of_its_own_trouble_only() -> None:
    def end_the_run() -> None:
        raise ConfigError("no such recipe")

    found = guarded(lambda: 1 // 0)
    assert isinstance(found, RejectError)
    assert (found.reason, found.detail) == (Reason.UNEXPECTED, "ZeroDivisionError")
    with pytest.raises(ConfigError):
        guarded(end_the_run)
