"""Every image in exactly one unit, and the usual views of a breast together."""

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dali_pipelines.manifest import read_manifest
from dali_pipelines.manifest_rows import to_frame
from dali_pipelines.plan import EMPTY
from dali_pipelines.records import ImageRecord
from trainer.networks.settings import Unit
from trainer.units import Units, build_units

# patient, study, side, view, modifiers
Image = tuple[str, str, str, str, tuple[str, ...]]
VIEWS = ("CC", "XCCL", "MLO", "ML", "LMO", "SPECIMEN", "")


@pytest.fixture(scope="session")
def frame_of(record_of: Callable[..., ImageRecord]) -> Callable[[Sequence[Image]], pd.DataFrame]:
    """The manifest of some images, in order of their UIDs."""

    def make(images: Sequence[Image]) -> pd.DataFrame:
        return to_frame(
            [
                record_of(
                    image_id=f"i{number:03d}",
                    sop_instance_uid=f"1.2.{number:03d}",
                    patient_id=patient,
                    study_instance_uid=study,
                    exam_id="",
                    laterality=side,
                    view=view,
                    view_modifiers=modifiers,
                )
                for number, (patient, study, side, view, modifiers) in enumerate(images)
            ]
        )

    return make


def image(text: str, patient: str = "p", study: str = "s") -> Image:
    """ "L CC spot" is a left CC spot view of patient p and study s; "-" is unknown."""
    side, view, *modifiers = text.split()
    return patient, study, side.replace("-", ""), view.replace("-", ""), tuple(modifiers)


def test_an_image_is_a_unit_in_the_order_of_the_frame(toy_frame: pd.DataFrame) -> None:
    labels = toy_frame["cancer"].to_numpy(np.int64)
    units = build_units(toy_frame, "image", labels)
    assert units.members.tolist() == [[position] for position in range(64)]
    assert units.labels.tolist() == labels.tolist()
    assert units.patients.tolist() == [position // 4 for position in range(64)]


def test_breasts_and_exams_of_plain_screening(toy_frame: pd.DataFrame) -> None:
    labels = toy_frame["cancer"].to_numpy(np.int64)  # L-CC, L-MLO, R-CC, R-MLO of 16 patients
    breasts = build_units(toy_frame, "breast", labels)
    assert breasts.members.tolist() == [[2 * i, 2 * i + 1] for i in range(32)]
    assert breasts.labels.tolist() == [1, 0, 0, 0, 0, 0, 0, 0] * 4
    assert breasts.patients.tolist() == [i // 2 for i in range(32)]
    exams = build_units(toy_frame, "exam", labels)
    assert exams.members.tolist() == [[4 * i + slot for slot in (2, 3, 0, 1)] for i in range(16)]
    assert exams.labels.tolist() == [1, 0, 0, 0] * 4
    assert exams.patients.tolist() == list(range(16))


def test_a_manifest_from_disk_gives_the_same_units(
    toy_frame: pd.DataFrame, toy_manifest: Path
) -> None:
    members = build_units(read_manifest(toy_manifest), "exam").members
    assert members.tolist() == build_units(toy_frame, "exam").members.tolist()


@pytest.mark.parametrize(
    ("images", "breasts"),
    [
        (["L CC", "L ML"], [[0, 1]]),
        (["L MLO", "L XCCL"], [[1, 0]]),
        (["L AT", "L FB"], [[1, 0]]),
        (["L CC"], [[0, -1]]),
        (["L MLO"], [[-1, 0]]),
        (["L CC", "R MLO"], [[0, -1], [-1, 1]]),
        (["L CC", "L MLO", "L CC"], [[0, 1], [2, -1]]),
        (["L XCCL", "L CC", "L MLO"], [[0, -1], [1, 2]]),  # CC before XCCL
        (["L ML", "L CC", "L MLO"], [[-1, 0], [1, 2]]),
        (["L CC spot", "L CC", "L MLO"], [[0, -1], [1, 2]]),  # plain before spot
        (["L CC ID", "L MLO ID", "L CC", "L MLO"], [[0, 1], [2, 3]]),  # implant in and displaced
        (["L CC", "L -"], [[0, 1]]),  # the view that is missing
        (["L -", "L MLO"], [[0, 1]]),
        (["L CC", "L CC", "L MLO", "L -"], [[0, 2], [1, 3]]),
        (["L MLO", "L -", "L MLO", "L CC"], [[3, 0], [1, 2]]),
        (["L -", "L -", "L -"], [[0, 1], [2, -1]]),
        (["L CC", "L CC", "L -", "L -", "L -"], [[0, 2], [1, 3], [4, -1]]),
        (["- CC", "- MLO", "B MLO"], [[0, -1], [-1, 1], [-1, 2]]),  # sides that nobody knows
        (["L SPECIMEN", "L MLO"], [[0, -1], [-1, 1]]),
    ],
)
def test_views_find_their_place(
    frame_of: Callable[[Sequence[Image]], pd.DataFrame], images: list[str], breasts: list[list[int]]
) -> None:
    assert build_units(frame_of([image(text) for text in images]), "breast").members.tolist() == (
        breasts
    )


def test_repeated_views_pair_by_uid_and_not_by_row(
    frame_of: Callable[[Sequence[Image]], pd.DataFrame],
) -> None:
    frame = frame_of([image(text) for text in ("L CC", "L CC", "L MLO", "L MLO")])
    assert build_units(frame, "breast").members.tolist() == [[0, 2], [1, 3]]
    mixed = frame.iloc[[1, 0, 2, 3]]
    assert build_units(mixed, "breast").members.tolist() == [[0, 3], [1, 2]]


def test_an_exam_takes_the_first_of_each_view_and_the_next_make_another(
    frame_of: Callable[[Sequence[Image]], pd.DataFrame],
) -> None:
    texts = ["L CC", "L MLO", "L MLO spot", "R -", "R ML", "- CC"]
    exams = build_units(frame_of([image(text) for text in texts]), "exam")
    assert exams.members.tolist() == [[3, 4, 0, 1], [-1, -1, -1, 2], [5, -1, -1, -1]]


def test_studies_and_patients_are_kept_apart(
    frame_of: Callable[[Sequence[Image]], pd.DataFrame],
) -> None:
    images = [
        image("L CC", "b", "1"),
        image("L MLO", "b", "1"),
        image("L CC", "b", "2"),
        image("L MLO", "b", "2"),
        image("L MLO", "a", "3"),
        image("L CC", "a", "3"),
        image("L CC", "", "4"),  # a nameless patient is the study
        image("L MLO", "", "4"),
    ]
    units = build_units(frame_of(images), "breast")
    assert units.members.tolist() == [[0, 1], [2, 3], [5, 4], [6, 7]]
    assert len(set(units.patients.tolist())) == 3
    assert units.patients[0] == units.patients[1]


def test_a_study_an_image_says_nothing_so_the_patient_is_the_exam(
    frame_of: Callable[[Sequence[Image]], pd.DataFrame],
) -> None:
    images = [image("L CC", "a", "1"), image("L MLO", "a", "2"), image("R CC", "a", "3")]
    assert build_units(frame_of(images), "breast").members.tolist() == [[0, 1], [2, -1]]
    assert build_units(frame_of(images), "exam").members.tolist() == [[2, -1, 0, 1]]


def test_without_a_study_the_exam_of_the_label_table_counts(
    frame_of: Callable[[Sequence[Image]], pd.DataFrame],
) -> None:
    images = [image("L CC", "a", ""), image("L MLO", "a", ""), image("L CC", "a", "")]
    frame = frame_of(images).assign(exam_id=["7", "7", "8"])
    assert build_units(frame, "breast").members.tolist() == [[0, 1], [2, -1]]


def test_a_unit_is_positive_by_one_image_and_unknown_before_it_is_negative(
    frame_of: Callable[[Sequence[Image]], pd.DataFrame],
) -> None:
    texts = ["L CC", "L MLO", "R CC", "R MLO"]
    frame = frame_of([image(text) for text in texts])
    assert build_units(frame, "breast", np.array([-1, 1, 0, -1])).labels.tolist() == [1, -1]
    assert build_units(frame, "breast", np.array([0, 0, 0, 1])).labels.tolist() == [0, 1]
    assert build_units(frame, "exam").labels.tolist() == [-1]


def test_blocks_of_units_become_blocks_of_images() -> None:
    members = np.array([[0, 3], [1, EMPTY], [EMPTY, 2]])
    units = Units(members, np.zeros(3, np.int64), np.zeros(3, np.int64))
    blocks = np.array([[2, 0], [1, EMPTY]])
    assert units.images(blocks).tolist() == [[EMPTY, 2, 0, 3], [1, EMPTY, EMPTY, EMPTY]]
    assert units.images(np.empty((0, 2), np.int64)).shape == (0, 4)
    assert units.holding(np.array([2, 3])).tolist() == [0, 2]
    assert units.holding(np.array([], np.int64)).tolist() == []


@pytest.fixture(scope="session")
def odd_frame(frame_of: Callable[[Sequence[Image]], pd.DataFrame]) -> pd.DataFrame:
    """90 images of two patients, some nameless, in two studies: any sides and views."""
    rng = np.random.default_rng(0)
    of = (("a", "b", ""), ("1", "2"), ("L", "L", "R", "R", "B", ""), VIEWS, ((), ("spot",)))
    return frame_of([tuple(part[rng.integers(len(part))] for part in of) for _ in range(90)])  # type: ignore[misc]


@given(
    st.lists(st.integers(0, 89), unique=True, max_size=30),
    st.sampled_from(("image", "breast", "exam")),
    st.randoms(use_true_random=False),
)
@settings(deadline=None, max_examples=40)  # 20 ms each
def test_every_image_is_in_one_unit_whatever_the_order_of_the_rows(
    odd_frame: pd.DataFrame, rows: list[int], unit: Unit, random: Random
) -> None:
    frame = odd_frame.iloc[rows]
    members = build_units(frame, unit).members
    assert sorted(members[members != EMPTY].tolist()) == list(range(len(rows)))
    first = np.where(members == EMPTY, len(rows), members).min(axis=1)
    assert (np.diff(first) > 0).all()  # units in the order of their first images
    order = np.array(random.sample(range(len(rows)), len(rows)), dtype=np.int64)
    turned = build_units(frame.iloc[order], unit).members
    back = np.where(turned == EMPTY, EMPTY, np.append(order, EMPTY)[turned])
    assert {*map(tuple, members.tolist())} == {*map(tuple, back.tolist())}
    sides = [{frame["laterality"].iloc[at] for at in row if at != EMPTY} for row in members]
    assert all(len(found) == 1 or (unit == "exam" and found == {"L", "R"}) for found in sides)
