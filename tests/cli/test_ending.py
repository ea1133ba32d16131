"""How a command of many inputs ends: a path on stdout stands for success."""

import json
from pathlib import Path

import pytest

from cli.ending import print_result, say_verdicts
from dali_pipelines.errors import RejectsError
from dali_pipelines.rejects.counts import VerdictCounts
from dali_pipelines.rejects.limits import parse_limit
from dali_pipelines.verdicts import Reason

OUT = Path("out.csv")


def test_verdicts_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    say_verdicts(VerdictCounts(2, 0, {Reason.EMPTY: 1}), Path("r.csv"))
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "3 inputs: 2 ok, 1 failed (E_EMPTY 1); mammo rejects r.csv explains them\n"


def test_above_the_limit_there_is_no_path_but_the_document(
    capsys: pytest.CaptureFixture[str],
) -> None:
    limit = parse_limit("1")
    print_result({"n": 1}, OUT, limit, (1, 9), as_json=False)
    assert capsys.readouterr().out == "out.csv\n"
    with pytest.raises(RejectsError):
        print_result({"n": 1}, OUT, limit, (2, 9), as_json=False)
    assert capsys.readouterr().out == ""
    with pytest.raises(RejectsError):
        print_result({"n": 1}, OUT, limit, (2, 9), as_json=True)
    assert json.loads(capsys.readouterr().out) == {"n": 1}
