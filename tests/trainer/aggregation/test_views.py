"""Each policy on a breast that can be worked out by hand."""

import pandas as pd
import pytest

from dali_pipelines.errors import DatasetError
from trainer.aggregation.levels import aggregate
from trainer.aggregation.policy import parse_aggregation


def breast(*images: tuple[str, str, float]) -> pd.DataFrame:
    """One left breast with images (view, modifiers, score)."""
    views, modifiers, probs = zip(*images, strict=True)
    return pd.DataFrame(
        {"patient_id": "p", "laterality": "L", "view": views, "view_modifiers": modifiers}
    ).assign(prob=probs, cancer=[1, *[0] * (len(images) - 1)])


def score(images: pd.DataFrame, text: str) -> tuple[float, int]:
    """The score of the breast, and how many images took part."""
    table = aggregate(images, "breast", parse_aggregation(text))
    assert table["cancer"].to_list() == [1]  # of all images, whichever take part
    return round(float(table["prob"].iloc[0]), 12), int(table["images"].iloc[0])


TWICE = breast(("CC", "", 0.2), ("CC", "", 0.4), ("MLO", "", 0.9))


def test_a_repeated_view_weighs_twice_or_once() -> None:
    assert score(TWICE, "mean") == (0.5, 3)
    assert score(TWICE, "mean,repeated=mean") == (0.6, 3)  # (0.3 + 0.9) / 2
    assert score(TWICE, "max,repeated=mean") == (0.9, 3)


def test_another_modifier_is_another_view() -> None:
    spot = TWICE.assign(view_modifiers=["", "S", ""])
    assert score(spot, "mean,repeated=mean") == (0.5, 3)


def test_unknown_views_repeat_none() -> None:
    unknown = TWICE.assign(view=["", "", "MLO"])
    assert score(unknown, "mean,repeated=mean") == (0.5, 3)
    displaced = unknown.assign(view_modifiers=["", "ID", ""])
    assert score(displaced, "mean,implants=displaced") == (0.5, 3)


def test_odd_views_are_left_out_where_there_are_others() -> None:
    odd = breast(("ML", "", 0.9), ("CC", "", 0.2), ("MLO", "M;S", 0.8), ("CC", "ID", 0.4))
    assert score(odd, "mean") == (0.575, 4)
    assert score(odd, "mean,odd=drop") == (0.3, 2)  # CC and CCID
    assert score(odd.iloc[[0, 2]], "mean,odd=drop") == (0.85, 2)  # nothing else is there
    unknown = odd.assign(view=["", "CC", "MLO", "CC"])
    assert score(unknown, "mean,odd=drop") == (0.5, 3)  # 0.9, 0.2 and 0.4


IMPLANT = breast(
    ("CC", "", 0.1), ("CC", "ID", 0.5), ("MLO", "", 0.3), ("CC", "S", 0.7), ("ML", "ID", 0.9)
)


def test_of_a_view_in_both_ways_one_is_taken() -> None:
    assert score(IMPLANT, "mean") == (0.5, 5)
    assert score(IMPLANT, "mean,implants=displaced") == (0.6, 4)  # without 0.1
    assert score(IMPLANT, "mean,implants=full") == (0.5, 4)  # without 0.5
    # the spot view has no displaced twin, and a displaced view in one way only is kept
    assert score(IMPLANT, "mean,implants=displaced,odd=drop") == (0.4, 2)  # CCID and MLO


def test_policies_are_of_one_breast() -> None:
    both = pd.concat([IMPLANT, IMPLANT.iloc[[0]].assign(laterality="R")])
    right = aggregate(both, "breast", parse_aggregation("mean,implants=displaced")).iloc[1]
    assert (right["laterality"], right["prob"], right["images"]) == ("R", 0.1, 1)


def test_a_table_without_modifiers_has_none() -> None:
    assert score(TWICE.drop(columns="view_modifiers"), "mean,repeated=mean") == (0.6, 3)
    with pytest.raises(DatasetError, match="lack the column view, which the policies"):
        score(TWICE.drop(columns="view"), "mean,odd=drop")
