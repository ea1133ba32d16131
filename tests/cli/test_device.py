"""`--device gpu` where there is none is one sentence and exit code 4; "auto" says what it took."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

NO_GPU = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a GPU")


def mammo(*args: str | Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "cli", *map(str, args)], capture_output=True, text=True, check=False
    )


@NO_GPU
@pytest.mark.parametrize("command", ["train", "preprocess"])
def test_a_gpu_that_is_not_there_is_exit_code_4(
    command: str, phantom_manifest: Path, tmp_path: Path
) -> None:
    options = {
        "train": ["-O", tmp_path / "run", "--recipe", "demo", "--model", "test_resnet"],
        "preprocess": [tmp_path / "shards", "--recipe", "demo"],
    }
    result = mammo(command, phantom_manifest, *options[command], "--device", "gpu")
    assert result.returncode == 4
    (line,) = result.stderr.splitlines()
    assert "use --device cpu" in line
    assert not (tmp_path / "shards").exists()
    assert result.stdout == ""


@NO_GPU
def test_auto_says_what_it_took_and_where_images_were_decoded(
    phantom_manifest: Path, tmp_path: Path
) -> None:
    result = mammo("preprocess", phantom_manifest, tmp_path / "shards", "--recipe", "demo")
    assert result.returncode == 0
    assert "images are prepared on the cpu: torch finds no GPU" in result.stderr
    (counts,) = [line for line in result.stderr.splitlines() if line.startswith("decoded: ")]
    words = counts.replace(",", "").split()
    assert sum(int(word) for word in words if word.isdecimal()) == 32
    assert "imagecodecs jpeg_lossless" in counts
