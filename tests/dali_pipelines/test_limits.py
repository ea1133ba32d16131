import pytest

from dali_pipelines.errors import ConfigError, RejectsError
from dali_pipelines.limits import DEFAULT_LIMIT, parse_share, require_few_rejects


@pytest.mark.parametrize(
    ("text", "share"),
    [("5%", 0.05), (" 0.05 ", 0.05), ("0", 0.0), ("100%", 1.0), ("1", 1.0), ("2.5%", 0.025)],
)
def test_a_share_is_a_percentage_or_a_fraction(text: str, share: float) -> None:
    assert parse_share(text) == pytest.approx(share)


@pytest.mark.parametrize(
    "text", ["", "%", "five", "-1%", "101%", "1.5", "5%%", "5%x", "nan", "5 %x"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"written like 5% or 0\.05"):
        parse_share(text)


def test_the_limit_itself_is_allowed() -> None:
    limit = parse_share(DEFAULT_LIMIT)
    require_few_rejects(5, 100, limit)
    require_few_rejects(0, 0, limit)
    with pytest.raises(RejectsError, match=r"6 of 100 inputs were rejected \(6\.0%\), more than"):
        require_few_rejects(6, 100, limit)
