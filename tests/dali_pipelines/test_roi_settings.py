"""Settings of the ROI: what is refused, and what counts."""

from collections.abc import Callable
from typing import Any

import pytest

from dali_pipelines.roi_settings import (
    MeanProfileSettings,
    Method,
    ProfileSettings,
    RoiSettings,
    RunSettings,
    WindowSettings,
)


@pytest.mark.parametrize(
    ("settings", "values", "named"),
    [
        (ProfileSettings, {"columns": 0.0}, "roi.profile"),
        (ProfileSettings, {"rows": 1.0}, "roi.profile"),
        (ProfileSettings, {"smooth": 1.1}, "roi.profile"),
        (RunSettings, {"level": 256}, "roi.run"),
        (RunSettings, {"central": 0.0}, "roi.run"),
        (MeanProfileSettings, {"threshold": 1.0}, "roi.mean_profile"),
        (MeanProfileSettings, {"buffer": 0}, "roi.mean_profile"),
        (WindowSettings, {"size": (0, 5)}, "roi.window"),
        (WindowSettings, {"erode": 1001}, "roi.window"),
        (WindowSettings, {"margin": -1}, "roi.window"),
        (RoiSettings, {"mirror_share": 0.51}, "roi.mirror_share"),
        (RoiSettings, {"method": "run"}, "roi.mirror_by"),
    ],
)
def test_what_makes_no_sense_is_refused(
    settings: Callable[..., Any], values: dict[str, Any], named: str
) -> None:
    with pytest.raises(ValueError, match=named):
        settings(**values)


@pytest.mark.parametrize(
    ("count", "part"), [(10, (1, 9)), (21, (2, 18)), (2, (0, 2)), (1, (0, 1)), (3, (0, 2))]
)
def test_the_central_part_is_that_of_the_published_code(count: int, part: tuple[int, int]) -> None:
    assert RunSettings().central_part(count) == part


@pytest.mark.parametrize(
    ("method", "module", "section"),
    [("profile", "profiles", "profile"), ("mean-profile", "mean_profile", "mean_profile")],
)
def test_a_method_names_a_module_and_a_section(method: Method, module: str, section: str) -> None:
    settings = RoiSettings(method=method, mirror="none")
    assert settings.module == module
    assert settings.constants is getattr(settings, section)


def test_the_share_counts_where_columns_decide() -> None:
    def share(method: Method, mirror: str) -> bool:
        settings = RoiSettings(method=method, mirror=mirror, mirror_by="columns")  # type: ignore[arg-type]
        return "mirror_share" in settings.used()

    assert share("run", "chest-left")
    assert not share("run", "none")
    assert share("window", "none")  # which looks for the chest wall anyway
