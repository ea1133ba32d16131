"""ONNX, judged by onnxruntime and onnx's own checker."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch

from dali_pipelines.errors import CheckpointError, DeviceError, GateError
from dali_pipelines.pixel_settings import ResizeSettings
from dali_pipelines.recipe import Recipe
from trainer import export
from trainer.checkpoint import Checkpoint
from trainer.checksums import is_sound
from trainer.export import export_onnx
from trainer.networks.build import build_model, logits_of
from trainer.networks.settings import VIEWS

RECIPE = Recipe("small", resize=ResizeSettings(size=(64, 48)))
IMAGE = {"model_name": "test_resnet", "in_chans": 1, "num_classes": 1}


def _checkpoint(args: dict[str, Any]) -> Checkpoint:
    torch.manual_seed(1)
    weights = build_model(args).state_dict()
    return Checkpoint(
        weights, args, RECIPE.to_dict(), RECIPE.hash, {}, {}, 1, 0, "", {}, [], {}, threshold=0.25
    )


@pytest.mark.parametrize(
    "more",
    [
        {"num_classes": 3},
        {"unit": "breast", "fusion": "attention"},
        {"unit": "exam", "fusion": "transformer", "layers": 1, "num_classes": 2},
    ],
    ids=["image", "breast", "exam"],
)
def test_onnxruntime_gives_the_logits_of_the_network(tmp_path: Path, more: dict[str, Any]) -> None:
    checkpoint = _checkpoint(IMAGE | more)
    path = tmp_path / "model.onnx"
    made = export_onnx(checkpoint, path)
    assert made.difference < 1e-5
    assert sorted(p.name for p in tmp_path.iterdir()) == ["model.onnx", "model.onnx.sha256"]
    assert is_sound(path)
    views = VIEWS[checkpoint.model_args.get("unit", "image")]
    rng = np.random.default_rng(5)
    images = rng.standard_normal((5 * views, 1, 64, 48), dtype=np.float32)
    present = rng.random((5, views)) < 0.7
    fed = {"images": images} | ({"present": present} if views > 1 else {})
    found = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, fed)
    model = build_model(checkpoint.model_args).eval()
    model.load_state_dict(checkpoint.weights)
    masked = torch.from_numpy(present) if views > 1 else None
    with torch.inference_mode():
        wanted = logits_of(model, torch.from_numpy(images), masked).numpy()
    assert len(found) == 1
    np.testing.assert_allclose(found[0], wanted, atol=1e-5)
    assert list(made.inputs) == list(fed)
    assert made.inputs["images"] == [None, 1, 64, 48]
    _says_how_to_prepare_images(path)


def _says_how_to_prepare_images(path: Path) -> None:
    content = onnx.load(path)
    onnx.checker.check_model(content, full_check=True)
    said = {entry.key: entry.value for entry in content.metadata_props}
    assert json.loads(said["mammostream.recipe"]) == json.loads(json.dumps(RECIPE.to_dict()))
    assert said["mammostream.recipe_hash"] == json.dumps(RECIPE.hash)
    assert said["mammostream.threshold"] == "0.25"
    assert b".py" not in path.read_bytes()  # the exporter notes lines of code, with their paths


def test_a_file_that_computes_something_else_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Program:
        def __init__(self) -> None:
            self.model = SimpleNamespace(metadata_props={})

        def save(self, path: str) -> None:
            Path(path).write_bytes(b"something else")

    class Wrong:
        def __init__(self, *_: object, **__: object) -> None:
            pass

        def run(self, _: object, fed: dict[str, Any]) -> list[Any]:
            return [np.full(len(fed["images"]), np.nan, np.float32)]

    path = tmp_path / "model.onnx"
    path.write_bytes(b"before")
    monkeypatch.setattr(torch.onnx, "export", lambda *_, **__: Program())
    monkeypatch.setattr(onnxruntime, "InferenceSession", Wrong)
    monkeypatch.setattr(export, "_forget_machine", lambda _: None)
    with pytest.raises(GateError, match=r"differ by nan.*nothing was written"):
        export_onnx(_checkpoint(IMAGE), path)
    assert [p.name for p in tmp_path.iterdir()] == ["model.onnx"]
    assert path.read_bytes() == b"before"


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = _checkpoint(IMAGE)
    foreign.model_args["pretrained_cfg"] = "x"
    with pytest.raises(CheckpointError, match="no usable network"):
        export_onnx(foreign, tmp_path / "m.onnx")
    monkeypatch.setattr(export, "find_spec", lambda name: None if name == "onnx" else name)
    with pytest.raises(DeviceError, match=r"needs onnx; install mammostream\[export\]"):
        export_onnx(foreign, tmp_path / "m.onnx")
    assert list(tmp_path.iterdir()) == []
