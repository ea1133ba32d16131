"""`mammo preprocess`: what each option does to OUT, and what is said."""

import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from cli.preprocess import command
from dali_pipelines.errors import ConfigError, DeviceError
from dali_pipelines.shards.shard_set import ShardSet

SMALL = ("--recipe", "demo", "--set", "resize.size=[32, 24]", "--device", "cpu", "-j", "1")


def preprocess(manifest: Path, out: Path, *options: str) -> Result:
    result = CliRunner().invoke(command, [str(manifest), str(out), *SMALL, *options])
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


@pytest.mark.parametrize(
    ("options", "dtype"),
    [((), "uint16"), (("--format", "png"), "uint8"), (("--dtype", "float16"), "float16")],
)
def test_the_type_follows_the_format(
    options: tuple[str, ...], dtype: str, phantom_manifest: Path, tmp_path: Path
) -> None:
    result = preprocess(phantom_manifest, tmp_path / "out", *options, "--verify", "all", "--json")
    told = json.loads(result.stdout)
    assert told == {
        "out": str(tmp_path / "out"),
        "images": 32,
        "rejects": 0,
        "shards": 1,
        "written": 1,
        "missing": 0,
        "verified": 32,
    }
    assert "; 32 images found right\n" in result.stderr
    assert ShardSet.open(tmp_path / "out").dtype == dtype


def test_a_dry_run_says_what_it_would_do_and_writes_nothing(
    phantom_manifest: Path, tmp_path: Path
) -> None:
    out = tmp_path / "no" / "out"
    lines = preprocess(phantom_manifest, out, "--dry-run").stdout.splitlines()
    assert lines[0] == "32 images to prepare, 0 in shards that stay"
    assert any(line.endswith("jpeg_lossless 1.2.840.10008.1.2.4.70") for line in lines)
    assert sum("  vendor  " in line for line in lines) > 1
    assert "GB are free" in lines[-2]
    assert "an estimate from 16 images on this machine" in lines[-1]
    told = json.loads(preprocess(phantom_manifest, out, "--dry-run", "--json").stdout)
    assert told["bytes"] == 32 * 32 * 24 * 2
    assert sum(told["syntaxes"].values()) == sum(told["manufacturers"].values()) == 32
    assert not (tmp_path / "no").exists()


def test_a_share_says_what_it_leaves_to_others(phantom_manifest: Path, tmp_path: Path) -> None:
    shard = ("--shard-size", "10", "--shard", "1/3")
    result = preprocess(phantom_manifest, tmp_path / "out", *shard)
    assert "10 images of recipe demo" in result.stderr
    assert "; 3 shards left to other processes\n" in result.stderr
    assert result.stdout == f"{tmp_path / 'out'}\n"


@pytest.mark.parametrize("text", ["3/3", "1", "a/2", "-1/2", "1/", "/2", "1/0"])
def test_a_share_that_is_none_is_one_sentence(
    text: str, phantom_manifest: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="--shard is i/n with i from 0 to n - 1"):
        preprocess(phantom_manifest, tmp_path / "out", f"--shard={text}")


def test_a_type_that_a_format_cannot_hold_is_one_sentence(
    phantom_manifest: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"^--format png16 holds --dtype uint16, not float32$"):
        preprocess(phantom_manifest, tmp_path / "out", "--format", "png16", "--dtype", "float32")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")
def test_all_gpus_where_there_are_none_is_one_sentence(
    phantom_manifest: Path, tmp_path: Path
) -> None:
    with pytest.raises(DeviceError, match="torch finds no GPU; use --device cpu"):
        preprocess(phantom_manifest, tmp_path / "out", "--gpus", "all")
    assert not (tmp_path / "out").exists()
    result = preprocess(phantom_manifest, tmp_path / "out", "--gpus", "all", "--dry-run")
    assert result.exit_code == 2
    assert "leave out --gpus" in result.stderr
