"""Shares that change over epochs, as a YAML file or --set gives them."""

import pytest

from dali_pipelines.errors import ConfigError
from dali_pipelines.settings import build, parse_sets
from trainer.sampling_settings import DataSettings, at_epoch
from trainer.settings import TrainSettings


def data_of(pair: str) -> DataSettings:
    return build(TrainSettings, [("--set", parse_sets([pair]))])[0].data


def test_a_share_counts_from_its_epoch_on() -> None:
    share = data_of("data.positive_share=[[0, 0.5], [5, 0.25], [9, 0.125]]").positive_share
    assert share is not None
    assert [at_epoch(share, epoch) for epoch in (0, 4, 5, 8, 9, 99)] == (
        [0.5, 0.5, 0.25, 0.25, 0.125, 0.125]
    )
    assert at_epoch(0.34, 7) == 0.34
    assert data_of("data.positive_share=null").positive_share is None


@pytest.mark.parametrize("name", ["positive_share", "keep_negatives"])
@pytest.mark.parametrize(
    "value", ["[[1, 0.5]]", "[[0, 0.5], [0, 0.2]]", "[[0, 0.5], [3, 0.2], [2, 0.1]]", "[]"]
)
def test_epochs_rise_from_0(name: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"{name} must be a share, or pairs .* from epoch 0 on"):
        data_of(f"data.{name}={value}")


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("data.positive_share=[[0, 0.5], [3, 1.0]]", r"in \(0, 1\) or null, not 1\.0"),
        ("data.keep_negatives=[[0, 0.5], [3, 0]]", r"in \(0, 1\], not 0\.0"),
        ("data.keep_negatives=1.5", r"in \(0, 1\], not 1\.5"),
        ("data.patients=none", r"'any' \| 'apart' \| 'one'"),
        ("data.balance=weights", r"'block' \| 'repeat' \| 'draw'"),
    ],
)
def test_what_is_no_share_is_said(pair: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        data_of(pair)


def test_all_negatives_may_be_kept_and_a_batch_of_one_need_not_hold_both_classes() -> None:
    assert data_of("data.keep_negatives=1").keep_negatives == 1.0
    assert DataSettings(batch=1, balance="repeat").batch == 1
    assert DataSettings(batch=1, positive_share=None).batch == 1
