import pytest

from dali_pipelines.errors import ConfigError, RejectsError
from dali_pipelines.rejects.limits import DEFAULT_LIMIT, NO_LIMIT, parse_limit


@pytest.mark.parametrize(
    ("text", "most"), [("5%", 10), (" 2.5% ", 5), ("0%", 0), ("100%", 200), ("0", 0), ("7", 7)]
)
def test_a_limit_is_a_number_or_a_share_and_allows_itself(text: str, most: int) -> None:
    parse_limit(text).enforce(most, 200)
    with pytest.raises(RejectsError):
        parse_limit(text).enforce(most + 1, 200)


@pytest.mark.parametrize(
    "text", ["", "%", "five", "-1", "-1%", "101%", "0.05", "5%%", "5%x", "nan%", "5 %x", "\u0661"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="a number or a percentage like 5%"):
        parse_limit(text)


def test_what_is_said_above_the_limit() -> None:
    with pytest.raises(RejectsError) as caught:
        parse_limit(DEFAULT_LIMIT).enforce(1_006, 10_000)
    assert str(caught.value) == (
        "1,006 of 10,000 inputs were rejected, more than --max-rejects 5% allows; `mammo "
        "rejects` explains the table of rejects"
    )


def test_no_inputs_are_within_any_limit() -> None:
    parse_limit(DEFAULT_LIMIT).enforce(0, 0)
    parse_limit(NO_LIMIT).enforce(7, 7)
