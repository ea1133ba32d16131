import pytest

from dali_pipelines.errors import ConfigError
from trainer.decisions.rules import Rule, parse_rule


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("f1", Rule("f", 1.0)),
        ("f0.5", Rule("f", 0.5)),
        ("pf1", Rule("f", 1.0)),
        ("grid", Rule("grid")),
        ("youden", Rule("youden")),
        ("spec90", Rule("spec", 90.0)),
        ("sens97.5", Rule("sens", 97.5)),
        ("p97.935", Rule("percentile", 97.935)),
        ("p0", Rule("percentile", 0.0)),
        ("prior", Rule("prior")),
        ("prior2.1", Rule("prior", 2.1)),
        ("prior0", Rule("prior", 0.0)),
    ],
)
def test_a_text_says_its_rule(text: str, rule: Rule) -> None:
    assert parse_rule(text) == rule


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("yuden", "Did you mean 'youden'"),
        ("f0", "beta 0"),
        ("spec101", "more than 100"),
        ("prior100.5", "more than 100"),
        ("F1", "no rule"),
        ("f", "no rule"),
        ("spec", "no rule"),
        ("spec-1", "no rule"),
        ("f1e5", "no rule"),
        ("f1\n", "no rule"),
        ("pnan", "no rule"),
        ("", "no rule"),
    ],
)
def test_what_is_no_rule_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_rule(text)


def test_which_rules_need_labels() -> None:
    without = [
        text for text in ("p90", "prior2", "prior", "f1") if not parse_rule(text).needs_labels
    ]
    assert without == ["p90", "prior2"]
