"""A sample has some of every class, the asked size, and is the same for the same seed."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dali_pipelines.errors import ConfigError, DatasetError
from dali_pipelines.inspection.sampling import (
    choose_images,
    choose_sample,
    draw_few,
    sample_size,
)
from dali_pipelines.routing import class_of
from dali_pipelines.verdicts import Flag


@pytest.mark.parametrize(("text", "size"), [("100", 100), ("999", 250), ("5%", 13), ("100%", 250)])
def test_sizes(text: str, size: int) -> None:
    assert sample_size(text, 250) == size


@pytest.mark.parametrize("text", ["", "0", "0%", "ten", "-1", "101%", "5%%", "nan%", "1.5"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ConfigError, match="--sample is a number above 0 or a percentage"):
        sample_size(text, 250)


@given(
    classes=st.lists(st.integers(0, 5), max_size=40),
    size=st.integers(0, 50),
    seed=st.integers(0, 9),
)
def test_every_class_occurs(record_of: Callable, classes: list[int], size: int, seed: int) -> None:
    records = [record_of(manufacturer=f"maker {k}", predictor=k % 3) for k in classes]
    chosen = choose_sample(records, size, seed)
    assert chosen == sorted(set(chosen)) == choose_sample(records, size, seed)
    assert {class_of(records[k]) for k in chosen} == {class_of(record) for record in records}
    assert len(chosen) == min(len(records), max(size, len(set(classes))))


def test_another_seed_draws_others(record_of: Callable) -> None:
    records = [record_of()] * 100
    assert choose_sample(records, 10, 0) != choose_sample(records, 10, 1)


def test_images_are_chosen_by_id_and_by_flag(record_of: Callable) -> None:
    flags = {"a": ("spot",), "b": ("spot", "no_view"), "c": (), "d": ("biopsy",)}
    records = [record_of(image_id=name, flags=found) for name, found in flags.items()]

    def chosen(ids: str = "", flags: tuple[Flag, ...] = ()) -> str:
        return "".join(record.image_id for record in choose_images(records, ids, flags))

    assert chosen() == "abcd"
    assert chosen("ca") == "ac"
    assert chosen(flags=(Flag.SPOT,)) == "ab"
    assert chosen("c", (Flag.NO_VIEW, Flag.BIOPSY)) == "bcd"
    with pytest.raises(ConfigError, match="no image 'x' among 4"):
        chosen("ax")
    with pytest.raises(DatasetError, match="no_breast; `mammo verify --json`"):
        chosen(flags=(Flag.NO_BREAST,))


def test_few_are_drawn_in_order(record_of: Callable) -> None:
    records = [record_of(image_id=f"{k:02}") for k in range(50)]
    few = [record.image_id for record in draw_few(records, 5)]
    assert few == sorted(set(few)) == [record.image_id for record in draw_few(records, 5)]
    assert len(few) == 5
    assert draw_few(records, 60) == records
