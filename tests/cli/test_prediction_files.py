from pathlib import Path

import pandas as pd
import pytest

from cli.prediction_files import find_target
from dali_pipelines.errors import ConfigError


def _target(out: str | None, kind: str | None) -> tuple[str, str]:
    found = find_target(Path(out) if out else None, kind, None, None, None)
    return str(found.out), found.kind


def test_the_format_is_said_by_name_or_by_option() -> None:
    assert _target(None, None) == ("predictions.csv", "csv")
    assert _target(None, "parquet") == ("predictions.parquet", "parquet")
    assert _target(None, "rsna") == ("predictions.csv", "rsna")
    assert _target("a/x.json", None) == ("a/x.json", "json")
    assert _target("x.csv", "spr") == ("x.csv", "spr")
    for out, kind in (("x.json", "csv"), ("x.json", "rsna"), ("x.txt", None), ("x", None)):
        with pytest.raises(ConfigError, match="must end in"):
            _target(out, kind)


def test_options_of_a_submission_need_one() -> None:
    for given in ((Path("like.csv"), None, None), (None, "risk", None), (None, None, 0.0)):
        with pytest.raises(ConfigError, match="needs --format rsna or spr"):
            find_target(None, None, *given)
        assert find_target(None, "rsna", *given).kind == "rsna"


def test_all_that_is_written_is_known_before() -> None:
    tables = find_target(Path("x.json"), None, None, None, None).files()
    names = ["x", "x_breast", "x_exam", "x_patient"]
    assert [path.name for path in tables] == [
        *(f"{name}.json" for name in names),
        *("x_rejects.csv", "x_about.json"),
    ]
    submitted = find_target(Path("x.csv"), "rsna", None, None, None).files()
    assert [path.name for path in submitted] == ["x.csv", "x_rejects.csv", "x_about.json"]


def test_a_manifest_is_not_replaced_by_scores(tmp_path: Path) -> None:
    manifest, scores, other = (tmp_path / f"{name}.parquet" for name in "mso")
    pd.DataFrame({"image_id": ["a"]}).to_parquet(manifest)
    pd.DataFrame({"image_id": ["a"], "prob": [0.5]}).to_parquet(scores)
    other.write_text("no parquet")
    assert _target(str(scores), None) == (str(scores), "parquet")
    for path in (manifest, other):
        with pytest.raises(ConfigError, match="no table of scores"):
            _target(str(path), None)
