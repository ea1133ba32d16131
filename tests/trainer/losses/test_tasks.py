import numpy as np
import pandas as pd
import pytest

from dali_pipelines.errors import ConfigError
from trainer.losses.settings import TaskSettings
from trainer.losses.tasks import output_count, task_columns, task_targets
from trainer.units import Units

NAN = np.nan
ALL = ("age", "birads", "density", "view", "implant")

# R-CC, R-MLO, L-CC, L-MLO of one exam, and one image of another patient
FRAME = pd.DataFrame(
    {
        "age": pd.array([49, 49, None, 50, None], "Int16"),
        "birads": pd.array([2, 0, 1, None, None], "Int8"),
        "density": ["B", "B", "C", "", ""],
        "view": ["CC", "MLO", "CC", "MLO", ""],
        "implant": pd.array([False, False, True, None, None], "boolean"),
    }
)


def _units(members: list[list[int]], labels: list[int]) -> Units:
    return Units(np.array(members), np.array(labels), patients=np.arange(len(labels)))


def test_outputs_stand_side_by_side_behind_the_cancer_logit() -> None:
    assert task_columns(ALL) == {
        "age": slice(1, 2),
        "birads": slice(2, 9),
        "density": slice(9, 13),
        "view": slice(13, 17),
        "implant": slice(17, 18),
    }
    assert output_count(ALL) == 18
    assert task_columns(("birads", "implant")) == {"birads": slice(1, 8), "implant": slice(8, 9)}
    assert output_count(("birads", "implant")) == 9
    assert task_columns(()) == {}
    assert output_count(()) == 1


def test_the_order_is_that_of_the_settings() -> None:
    assert TaskSettings(implant=1, density=0.3, age=10).used == ("age", "density", "implant")


def test_an_image_has_what_its_row_says() -> None:
    units = _units([[0], [1], [2], [3], [4]], [0, 0, 1, 1, 0])
    targets = task_targets(FRAME, units, ALL)
    assert targets.dtype == np.float32
    np.testing.assert_array_equal(
        targets,
        np.array(
            [
                [0, 0.49, 2, 1, 0, 0],
                [0, 0.49, 0, 1, 1, 0],
                [1, NAN, 1, 2, 0, 1],
                [1, 0.50, NAN, NAN, 1, NAN],
                [0, NAN, NAN, NAN, NAN, NAN],
            ],
            np.float32,
        ),
    )


def test_a_breast_has_what_its_images_say_together() -> None:
    units = _units([[0, 1], [2, 3], [-1, 0], [4, -1]], [0, 1, 0, 0])
    targets = task_targets(FRAME, units, ("age", "birads", "density", "implant"))
    np.testing.assert_array_equal(
        targets[:, 1:],
        np.array(
            [
                [0.49, 0, 1, 0],  # incomplete (0) is graver than benign (2)
                [0.50, 1, 2, 1],
                [0.49, 2, 1, 0],  # one view alone
                [NAN, NAN, NAN, NAN],
            ],
            np.float32,
        ),
    )


def test_an_exam_has_the_gravest_and_the_densest() -> None:
    targets = task_targets(FRAME, _units([[0, 1, 2, 3]], [1]), ("birads", "density", "implant"))
    assert targets.tolist() == [[1, 0, 2, 1]]


@pytest.mark.parametrize(
    ("grades", "gravest"), [([1, 2, 3], 3), ([3, 0], 0), ([0, 4], 4), ([5, 4], 5), ([5, 6], 6)]
)
def test_the_gravest_assessment(grades: list[int], gravest: int) -> None:
    frame = pd.DataFrame({"birads": pd.array(grades, "Int8")})
    units = _units([list(range(len(grades)))], [0])
    assert task_targets(frame, units, ("birads",)).tolist() == [[0, gravest]]


@pytest.mark.parametrize("frame", [FRAME.drop(columns="density"), FRAME.assign(density="")])
def test_a_task_of_which_nothing_is_known_is_said(frame: pd.DataFrame) -> None:
    with pytest.raises(ConfigError, match=r"loss\.tasks\.density must be 0 here.*'density'"):
        task_targets(frame, _units([[0], [1]], [0, 1]), ("age", "density"))


def test_the_view_of_a_breast_is_no_task() -> None:
    with pytest.raises(ConfigError, match=r"loss\.tasks\.view must be 0 where model\.unit is not"):
        task_targets(FRAME, _units([[0, -1], [2, -1]], [0, 1]), ("view",))
