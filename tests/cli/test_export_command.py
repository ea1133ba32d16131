import json
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner, Result

from cli.export import command
from dali_pipelines.errors import CheckpointError, ConfigError
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.recipe import Recipe
from trainer.checkpoint import Checkpoint, save_checkpoint
from trainer.networks.build import build_model
from trainer.prediction.scorers import load_scorers

ARGS = {"model_name": "test_resnet", "in_chans": 1, "num_classes": 1}
RECIPE = Recipe("small", resize=ResizeSettings(size=(48, 32)))


@pytest.fixture
def best(tmp_path: Path) -> Path:
    torch.manual_seed(1)
    weights = build_model(ARGS).state_dict()
    kept = Checkpoint(weights, ARGS, RECIPE.to_dict(), RECIPE.hash, {}, {}, 1, 0, "", {}, [], {})
    save_checkpoint(kept, tmp_path / "best.pt")
    return tmp_path / "best.pt"


def _run(*args: str | Path) -> Result:
    return CliRunner().invoke(command, [*map(str, args)], standalone_mode=False)


def test_safetensors_are_scored_as_the_checkpoint(best: Path, tmp_path: Path) -> None:
    out = tmp_path / "made" / "m.safetensors"
    result = _run(best, "-O", out)
    assert result.exception is None
    assert result.stdout == f"{out}\n"
    images = torch.randn(2, 1, 48, 32)
    with torch.inference_mode():
        wanted, found = (
            load_scorers([path]).members[0].model.eval()(images) for path in (best, out)
        )
    assert torch.equal(wanted, found)
    again = _run(out.with_suffix(".json"), "-O", tmp_path / "again.safetensors")
    assert again.exception is None
    assert (tmp_path / "again.safetensors").read_bytes() == out.read_bytes()


def test_onnx_is_checked_and_described(best: Path, tmp_path: Path) -> None:
    result = _run(best, "-O", tmp_path / "m.onnx", "--json")
    assert result.exception is None
    facts = json.loads(result.stdout)
    assert (facts["format"], facts["recipe_hash"]) == ("onnx", RECIPE.hash)
    assert facts["inputs"] == {"images": [None, 1, 48, 32]}
    assert facts["largest_difference"] < 1e-5
    assert "onnxruntime's logits differ by at most" in result.stderr


@pytest.mark.parametrize(
    ("args", "error", "match"),
    [
        (["-O", "m.pt"], ConfigError, r"must end in \.onnx or \.safetensors"),
        (["-O", "m.onnx", "--format", "safetensors"], ConfigError, r"must end in \.safetensors"),
    ],
)
def test_a_name_that_says_something_else_is_refused(
    best: Path, args: list[str], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        raise _run(best, *args).exception or AssertionError


def test_what_is_read_is_not_overwritten(best: Path, tmp_path: Path) -> None:
    _run(best, "-O", tmp_path / "m.safetensors")
    for path in ("m.json", "m.safetensors"):
        with pytest.raises(ConfigError, match="is an input"):
            raise _run(tmp_path / path, "-O", tmp_path / "m.safetensors").exception or OSError
    with pytest.raises(CheckpointError, match="no checkpoint"):
        raise _run(tmp_path / "none.pt", "-O", tmp_path / "x.onnx").exception or OSError
