"""`mammo verify`: a table on stdout, rejects beside the manifest, exit code 3 for any of them."""

import json
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import pytest
from click.testing import CliRunner, Result

import dali_pipelines.inspection.verify
from cli.verify import command
from dali_pipelines.errors import ConfigError, RejectsError
from dali_pipelines.manifest import read_manifest, write_manifest
from dali_pipelines.manifest_rows import to_records
from dali_pipelines.rejects.table import read_rejects
from dali_pipelines.verdicts import Reason
from tests.pool_without_children import PoolWithoutChildren


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(command, [*map(str, args), "-j", "2"], standalone_mode=False)


@pytest.fixture(autouse=True)
def no_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dali_pipelines.inspection.verify, "DecodePool", PoolWithoutChildren)


@pytest.fixture
def manifest(phantom_manifest: Path, tmp_path: Path) -> Callable[..., Path]:
    """manifest(sha256="") -> a copy of the phantoms' manifest with these columns."""

    def make(**columns: object) -> Path:
        path = tmp_path / "m.parquet"
        write_manifest(read_manifest(phantom_manifest).assign(**columns), path)
        return path

    return make


def test_sound_images_pass(manifest: Callable, tmp_path: Path) -> None:
    result = run(manifest(), "--all")
    assert result.exception is None
    lines = result.stdout.splitlines()
    assert lines[0] == "32 of 32 images, seed 0"
    assert lines[1].split()[:4] == ["kind", "images", "hashed", "equal"]
    counts = {line.split()[0]: line.split()[1:] for line in lines[2:] if ":" not in line}
    assert counts["j2k"][3:] == ["0", "0", "0", "0"]
    assert counts["raw"][3:] == ["0", counts["raw"][0], "0", "-"]
    assert sum(int(values[0]) for values in counts.values()) == 32
    assert any("another build of the same library" in line for line in lines)
    table = tmp_path / "m_verify_rejects.csv"
    assert read_rejects(table) == []
    assert table.stat().st_mode & 0o777 == 0o600


def test_a_sample_has_every_class_and_its_seed_is_told(manifest: Callable) -> None:
    found = json.loads(run(manifest(), "--sample", "1", "--seed", "5", "--json").stdout)
    assert 7 <= found["images"] < found["of"] == 32
    assert found["seed"] == 5
    assert set(found["kinds"]) == {"raw", "rle", "j2k", "htj2k", "jpeg_lossless", "jpegls"}


def test_rot_ends_with_three_unless_it_is_allowed(manifest: Callable, tmp_path: Path) -> None:
    rotten = manifest(sha256="0" * 64)
    result = run(rotten, "--all")
    assert isinstance(result.exception, RejectsError)
    assert result.exception.exit_code == 3
    rejects = read_rejects(tmp_path / "m_verify_rejects.csv")
    assert {reject.reason for reject in rejects} == {Reason.CHANGED}
    assert {reject.image_id for reject in rejects} == {r.image_id for r in _records(rotten)}
    allowed = run(rotten, "--all", "--max-rejects", "100%", "--json")
    assert allowed.exception is None
    named = json.loads(allowed.stdout)["rejects"]
    assert named == {record.image_id: "E_CHANGED" for record in _records(rotten)}


def _records(manifest: Path) -> list:
    return to_records(read_manifest(manifest))


def test_images_without_a_hash_are_said_to_be_unknown(manifest: Callable) -> None:
    result = run(manifest(sha256=""), "--all")
    assert result.exception is None
    assert "32 unhashed: the scan took no SHA-256" in result.stdout


def test_flags_are_counted_and_explained(
    manifest: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    def black(_pixels: object, _shadings: object) -> list:
        return [np.zeros((128, 104), np.uint16)]

    monkeypatch.setattr("dali_pipelines.cpu.window.window", black)
    path = manifest(flags=[[] for _ in range(32)])
    result = run(path, "--all")
    lines = result.stdout.splitlines()
    assert lines[-2].startswith("32 constant_image: All pixels have the same value")
    ids = sorted(record.image_id for record in _records(path))
    assert lines[-1].strip() == ", ".join([*ids[:5], "..."])
    assert "32 inputs: 0 ok, 32 flagged" in result.stderr, "what verify itself saw counts"
    assert json.loads(run(path, "--all", "--json").stdout)["flags"] == {"constant_image": ids}


def test_usage(manifest: Callable) -> None:
    for size in ("some", "0", "0%"):
        assert isinstance(run(manifest(), "--sample", size).exception, ConfigError)
    both = run(manifest(), "--all", "--sample", "4").exception
    assert isinstance(both, click.UsageError)
    assert isinstance(run("absent.parquet").exception, ConfigError)
