"""What must hold of options before any work begins."""

from pathlib import Path

import pytest

from cli.checks import require_own_rejects
from dali_pipelines.errors import ConfigError


def test_the_rejects_of_a_manifest_are_never_replaced_by_those_of_another_table(
    tmp_path: Path,
) -> None:
    (tmp_path / "train.parquet").touch()
    with pytest.raises(ConfigError, match="would replace those of the manifest"):
        require_own_rejects(tmp_path / "train.csv")
    with pytest.raises(ConfigError, match="choose another name"):
        require_own_rejects(tmp_path / "train")
    require_own_rejects(tmp_path / "predictions.csv")
    require_own_rejects(tmp_path / "train.parquet")
