"""What README shows works: its Python block runs, its commands parse, its files exist."""

import re
import shlex
from importlib import import_module
from pathlib import Path

import click
import numpy as np
import pytest

from dali_pipelines.doctor.decoder_trial import check_decoders
from dali_pipelines.doctor.syntax_table import syntax_table
from dali_pipelines.routing import has_dali
from dali_pipelines.shards.shard_set import ShardSet

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[list[str]]:
    """Every `mammo ...` line of a block and every inline one, as words."""
    lines = [line for block in blocks("bash") for line in block.splitlines()]
    inline = re.findall(r"`mammo ([a-z]+ [^`A-Z]*?)`", README)
    shown = [line for line in lines if line.startswith("mammo ")]
    return [shlex.split(line, comments=True)[1:] for line in shown] + [
        shlex.split(line) for line in inline
    ]


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_a_command_of_readme_is_understood(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("train.csv", "train.parquet", "predictions.csv"):
        Path(name).touch()
    Path("train_images").mkdir()
    Path("runs/first/ckpt").mkdir(parents=True)
    Path("runs/first/ckpt/best.pt").touch()
    monkeypatch.setattr(ShardSet, "open", lambda out: out)  # there are none here
    command = import_module(f"cli.{words[0]}").command
    code = 0
    try:
        command.make_context(words[0], list(words[1:]))
    except click.exceptions.Exit as done:  # of an option that answers at once
        code = done.exit_code
    assert code == 0


def test_the_training_loop_of_readme_runs(
    phantom_manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (block,) = blocks("python")
    assert len(block.strip().splitlines()) <= 12
    monkeypatch.chdir(tmp_path)
    Path("train.parquet").symlink_to(phantom_manifest)
    names: dict = {}
    exec(compile(block.replace("default-1536", "demo"), "README.md", "exec"), names)
    assert names["images"].shape[1:] == (1, 256, 208)
    assert len(names["images"]) == len(names["targets"]) > 0
    assert set(np.unique(names["labels"])) == {0, 1}
    assert names["loader"].rejects == []


def test_the_paths_that_readme_names_exist() -> None:
    named = set(
        re.findall(r"(?:dali_pipelines|trainer|cli|benchmarks|configs|tests)/[\w/.]*", README)
    )
    assert named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_the_first_screen_shows_the_two_commands() -> None:
    first_screen = README.splitlines()[:12]
    assert any(line.startswith("make demo") for line in first_screen)
    assert any(line.startswith("make test") for line in first_screen)


@pytest.mark.skipif(not has_dali(), reason="DALI is not installed, and the table says what it does")
def test_the_table_of_transfer_syntaxes_is_what_doctor_finds() -> None:
    begin, end = "<!-- mammo doctor --markdown -->\n", "\n<!-- end of the table -->"
    shown = README.partition(begin)[2].partition(end)[0]
    assert shown.splitlines() == syntax_table(check_decoders())
