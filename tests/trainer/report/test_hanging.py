"""The hanging of exams, worked by hand: RCC | LCC above RMLO | LMLO, chest walls together."""

from dataclasses import replace

import pandas as pd
import pytest

from dali_pipelines.manifest_rows import to_frame
from dali_pipelines.roi_settings import RoiSettings
from trainer.report.hanging import Hanging, hang, is_turned

CHEST_LEFT = RoiSettings(mirror="chest-left")
CHEST_RIGHT = RoiSettings(method="none", mirror="chest-right", mirror_by="columns")
AS_STORED = RoiSettings(mirror="none")


def exam(record_of, *views: tuple[str, str]) -> pd.DataFrame:
    return to_frame(
        [
            record_of(
                image_id=f"{k:032x}",
                sop_instance_uid=f"1.{k}",
                study_instance_uid="2",
                patient_id="p",
                laterality=side,
                view=view,
            )
            for k, (side, view) in enumerate(views)
        ]
    )


def test_four_views_hang_right_breast_first_and_cc_above_mlo(record_of) -> None:
    frame = exam(record_of, ("L", "MLO"), ("L", "CC"), ("R", "MLO"), ("R", "CC"))
    assert hang(frame) == Hanging(places=(3, 1, 2, 0), others=0)


def test_a_missing_view_leaves_its_place_empty(record_of) -> None:
    frame = exam(record_of, ("R", "MLO"), ("L", "CC"))
    assert hang(frame) == Hanging(places=(None, 1, 0, None), others=0)


def test_a_repeated_view_hangs_once_and_an_odd_one_where_none_is(record_of) -> None:
    frame = exam(record_of, ("R", "CC"), ("R", "CC"), ("R", "MLO"), ("L", "XCCL"), ("L", "MLO"))
    hanging = hang(frame)
    assert hanging.places[1:] == (3, 2, 4)
    assert hanging.places[0] in {0, 1}
    assert hanging.others == 1


def test_an_image_of_an_unknown_side_does_not_hang(record_of) -> None:
    frame = exam(record_of, ("", "CC"), ("L", "MLO"))
    assert hang(frame) == Hanging(places=(None, None, None, 1), others=1)
    assert hang(exam(record_of, ("", "CC"))) is None
    assert hang(exam(record_of, ("B", "CC"))) is None


@pytest.mark.parametrize(
    ("side", "recipe", "stored", "turned"),
    [
        # the recipe has put the chest wall to the left: a right breast must be turned back
        ("R", CHEST_LEFT, "", True),
        ("L", CHEST_LEFT, "", False),
        ("R", CHEST_RIGHT, "", False),
        ("L", CHEST_RIGHT, "", True),
        # as stored: Patient Orientation says where it is, else what is usual for the side
        ("R", AS_STORED, "", False),
        ("L", AS_STORED, "", False),
        ("R", AS_STORED, "left", True),
        ("L", AS_STORED, "right", True),
        ("L", AS_STORED, "left", False),
        ("", CHEST_LEFT, "", False),
    ],
)
def test_the_chest_wall_ends_up_in_the_middle(
    record_of, side: str, recipe: RoiSettings, stored: str, turned: bool
) -> None:
    tags = replace(record_of().tags, laterality=side, chest_side=stored)
    assert is_turned(tags, recipe) is turned
