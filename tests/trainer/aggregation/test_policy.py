import pytest
from hypothesis import given
from hypothesis import strategies as st

from dali_pipelines.errors import ConfigError
from trainer.aggregation.policy import PRESETS, Aggregation, parse_aggregation

RULES = st.sampled_from(["mean", "max", "noisy-or", "top3", "q12.5"])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("mean", Aggregation()),
        ("mean/max/max", Aggregation("mean", "max", "max")),
        ("max/mean", Aggregation("max", "mean", "max")),
        ("top2/q90/noisy-or", Aggregation("top2", "q90", "noisy-or")),
        ("spr-1st", Aggregation("mean", "max")),
        ("spr-1st-code", Aggregation("max", "max")),
        ("rsna-1st", Aggregation("mean")),
        ("spr-1st-code, odd=drop", Aggregation("max", "max", odd="drop")),
        (
            "mean,repeated=mean,implants=displaced",
            Aggregation(repeated="mean", implants="displaced"),
        ),
        ("mean,implants=full,odd=keep", Aggregation(implants="full")),
    ],
)
def test_a_text_says_an_aggregation(text: str, wanted: Aggregation) -> None:
    assert parse_aggregation(text) == wanted


@given(
    st.builds(
        Aggregation,
        *(RULES, RULES, RULES),
        repeated=st.sampled_from(["all", "mean"]),
        odd=st.sampled_from(["keep", "drop"]),
        implants=st.sampled_from(["all", "displaced", "full"]),
    )
)
def test_its_text_says_it_again(how: Aggregation) -> None:
    assert parse_aggregation(str(how)) == how


def test_the_usual_is_short() -> None:
    assert str(Aggregation()) == "mean/max/max"
    assert str(PRESETS["spr-1st-code"]) == "max/max/max"
    assert str(Aggregation(odd="drop")) == "mean/max/max,odd=drop"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no aggregation ''"),
        ("meen", "no aggregation 'meen'.*Did you mean 'mean'"),
        ("spr-1", "no aggregation 'spr-1'.*Did you mean 'spr-1st'"),
        ("mean/maxx", "no rule 'maxx'.*Did you mean 'max'"),
        ("mean/max/max/max", "has 4 rules; wanted are up to 3"),
        ("mean,od=drop", "no policy 'od'.*Did you mean 'odd'"),
        ("mean,odd=leave", r"odd is 'leave', wanted is one of keep\|drop"),
        ("mean,implants", "implants is ''"),
        ("mean,", "no policy ''"),
        (
            "noisy-or/repeated=mean",
            "'repeated=mean' stands where a rule .* after commas, .*"
            r"repeated=all\|mean, odd=keep\|drop, implants=all\|displaced\|full",
        ),
        ("odd=drop", "after commas"),
    ],
)
def test_what_says_none_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_aggregation(text)
