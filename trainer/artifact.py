"""The inference artifact: model.safetensors with the weights, model.json with all else.

    model.safetensors   the weights that were validated; where the network is one of timm's alone,
                        `timm.create_model(..., checkpoint_path="model.safetensors")` takes them
    model.json          how to build the network and to prepare its images, threshold, versions

Both have their SHA-256 beside them, and model.json has that of its weights.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import torch
from safetensors.torch import save_file

from dali_pipelines.errors import CheckpointError, DamagedError
from trainer.checkpoint import (
    FORMAT_VERSION,
    Checkpoint,
    checkpoint_of,
    load_checkpoint,
    require_format,
)
from trainer.checksums import (
    file_sha256,
    remove_with_checksum,
    replacing_with_checksum,
    require_sound,
)
from trainer.tensor_file import read_tensors

FORMAT: Final = "mammostream-model"
# what says how to score, and what the score is worth
_KEPT: Final = (
    *("model_args", "recipe", "recipe_hash", "settings", "epoch", "data", "best"),
    *("class_prior", "threshold", "versions"),
)


def save_artifact(checkpoint: Checkpoint, path: Path) -> None:
    """Write `path`, which ends in .safetensors, and the .json beside it; both or neither count.

    In between there is no .json, so weights are never taken for those of another one.
    """
    document = path.with_suffix(".json")
    remove_with_checksum(document)
    with replacing_with_checksum(path) as aside:
        save_file(_separate(checkpoint.weights), aside, metadata={"format": "pt"})
    content: dict[str, Any] = {"format": FORMAT, "format_version": FORMAT_VERSION}
    content |= {name: getattr(checkpoint, name) for name in _KEPT}
    content["settings"] = without_paths(checkpoint.settings)
    content["weights"] = {"file": path.name, "sha256": file_sha256(path)}
    with replacing_with_checksum(document) as aside:
        aside.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def load_to_score(path: Path) -> Checkpoint:
    """What `load_checkpoint` gives, from a checkpoint or from either file of an artifact.

    An artifact has no optimizer, history or place in a run. Raises CheckpointError where it cannot
    be used, DamagedError where its files are not those that were written.
    """
    return (
        load_artifact(path) if path.suffix in {".safetensors", ".json"} else load_checkpoint(path)
    )


def load_artifact(path: Path) -> Checkpoint:
    """The artifact of which `path` is either file, as a checkpoint that is only to score."""
    document, weights = path.with_suffix(".json"), path.with_suffix(".safetensors")
    for file in (document, weights):
        if not file.is_file():
            raise CheckpointError(
                f"no {file.name!r} beside {path.name!r}: an inference artifact is both; make it "
                "again with `mammo export`"
            )
    content = _read_document(document)
    tensors = read_tensors(weights)
    told = content["weights"]
    if not isinstance(told, dict) or file_sha256(weights) != told.get("sha256"):
        raise DamagedError(
            f"{str(weights)!r} does not hold the weights that {document.name!r} is about; use "
            "another copy of both"
        )
    kept = {name: content[name] for name in _KEPT}
    absent: dict[str, Any] = {"optimizer": {}, "blocks": 0, "history": []}
    return checkpoint_of({"model": tensors, **kept, **absent}, document)


def without_paths(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Settings with the name of the file of weights alone: its folder may name who owns it."""
    model = settings.get("model")
    if not isinstance(model, Mapping) or not model.get("pretrained"):
        return dict(settings)
    named = {**model, "pretrained": Path(model["pretrained"]).name}
    return {**settings, "model": named}


def _separate(weights: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors that lie in memory of their own, row by row, as the format wants them."""
    return {
        name: tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for name, tensor in weights.items()
    }


def _read_document(path: Path) -> dict[str, Any]:
    """The content of model.json; CheckpointError where it is damaged, foreign or too new."""
    require_sound(path)
    try:
        content = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise DamagedError(f"{str(path)!r} is no JSON document; use another copy") from error
    if not isinstance(content, dict):
        raise CheckpointError(f"{str(path)!r} does not describe a model of `mammo train`")
    require_format(content, FORMAT, path)
    missing = [name for name in (*_KEPT, "weights") if name not in content]
    if missing:
        raise CheckpointError(f"{str(path)!r} lacks {', '.join(missing)}")
    return content
