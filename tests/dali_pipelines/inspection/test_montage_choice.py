"""Which images a montage shows: by hand-made tables."""

import pandas as pd
import pytest

from dali_pipelines.errors import DatasetError
from dali_pipelines.inspection.montage_choice import By, choose_images_by

MACHINES = ["A"] * 6 + ["B"] * 3 + ["C"]
FRAME = pd.DataFrame(
    {
        "cancer": [1, None, 0, 0, 1, 0, 0, 0, None, 0],
        "manufacturer": MACHINES,
        "model_name": [f"{name}-1" for name in MACHINES],
    }
).astype({"cancer": "Int8"})


def places(by: By, count: int, seed: int = 0, frame: pd.DataFrame = FRAME) -> list[int]:
    return [place for place, _ in choose_images_by(by, frame, count, seed)]


@pytest.mark.parametrize("by", ["random", "worst", "label", "site"])
def test_a_seed_draws_the_same_again_and_another_others(by: By) -> None:
    many = pd.concat([FRAME] * 20, ignore_index=True)
    assert places(by, 12, frame=many) == places(by, 12, frame=many)
    assert places(by, 12, frame=many) != places(by, 12, 1, many)
    assert len(set(places(by, 12, frame=many))) == 12


def test_at_random_all_are_drawn_once() -> None:
    assert sorted(places("random", 99)) == list(range(10))
    assert choose_images_by("random", FRAME, 1, 0)[0][1] == ""


def test_positives_come_before_negatives() -> None:
    found = choose_images_by("label", FRAME, 99, 0)
    assert [words for _, words in found] == ["positive"] * 2 + ["negative"] * 6
    assert {place for place, _ in found[:2]} == {0, 4}
    assert {place for place, _ in found[2:]} == {2, 3, 5, 6, 7, 9}


@pytest.mark.parametrize(("count", "positives"), [(2, 1), (3, 2), (4, 2), (6, 2)])
def test_half_are_positives_as_far_as_there_are_any(count: int, positives: int) -> None:
    words = [words for _, words in choose_images_by("label", FRAME, count, 0)]
    assert words == ["positive"] * positives + ["negative"] * (count - positives)


def test_of_one_label_all_are_of_that() -> None:
    assert sorted(places("label", 3, frame=FRAME[FRAME["cancer"] == 1])) == [0, 1]


def test_without_labels_it_says_so() -> None:
    for frame in (FRAME.drop(columns="cancer"), FRAME.assign(cancer=pd.NA)):
        with pytest.raises(DatasetError, match="--by label needs the column cancer"):
            choose_images_by("label", frame, 5, 0)


def test_each_group_of_machines_has_its_turn() -> None:
    found = choose_images_by("site", FRAME, 6, 0)
    assert [words for _, words in found] == [
        *["group 1 of 3: A A-1"] * 3,
        *["group 2 of 3: B B-1"] * 2,
        "group 3 of 3: C C-1",
    ]
    assert all(MACHINES[place] == words[-1 - 2] for place, words in found)


def test_sites_of_one_machine_are_apart_and_not_named() -> None:
    sites = FRAME.assign(manufacturer="", model_name="", site_id=["secret", "hidden"] * 5)
    words = {words for _, words in choose_images_by("site", sites, 10, 0)}
    assert words == {"group 1 of 2: not named", "group 2 of 2: not named"}
