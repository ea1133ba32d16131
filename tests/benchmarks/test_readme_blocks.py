from pathlib import Path

import pytest

from benchmarks.readme.__main__ import README
from benchmarks.readme.blocks import Results, render_blocks
from dali_pipelines.errors import ConfigError

TEXT = "before\n<!-- figures: speed -->\nold 3\n<!-- end of the figures -->\nafter\n"


@pytest.fixture
def templates(tmp_path: Path) -> Path:
    (tmp_path / "speed.md.jinja").write_text("{{ results.peers.rate }} images\n")
    return tmp_path


def test_the_figures_of_readme_are_those_of_the_committed_results() -> None:
    text = README.read_text(encoding="utf-8")
    assert text.count("<!-- figures: ") >= 3
    assert render_blocks(text, Results()) == text, "run python -m benchmarks.readme"


def test_only_what_is_in_the_block_is_replaced(templates: Path) -> None:
    made = render_blocks(TEXT, {"peers": {"rate": 7}}, templates)
    assert made == TEXT.replace("old 3", "7 images")


def test_a_result_that_is_absent_is_an_error(templates: Path) -> None:
    with pytest.raises(ConfigError, match="block 'speed' of README cannot be made"):
        render_blocks(TEXT, {}, templates)


def test_a_block_without_a_template_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="speed"):
        render_blocks(TEXT, {}, tmp_path)


def test_results_are_the_files_of_a_folder(tmp_path: Path) -> None:
    (tmp_path / "ranks.json").write_text('{"rows": 2}')
    results = Results(tmp_path)
    assert dict(results) == {"ranks": {"rows": 2}}
    assert len(results) == 1
