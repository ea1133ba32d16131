"""A checkpoint as ONNX, for other programs to run, checked against the network it came from."""

import json
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dali_pipelines.errors import DeviceError, GateError
from dali_pipelines.recipe import Recipe
from trainer.checkpoint import Checkpoint
from trainer.checksums import replacing_with_checksum
from trainer.networks.settings import VIEWS
from trainer.rebuild import kept_recipe, rebuild_model

OPSET: Final = 18  # what torch's exporter writes on its own
# of a logit near 0, so 1/4 of it of a probability; float32 sums in another order differ by less
TOLERANCE: Final = 1e-4
_PACKAGES: Final = ("onnx", "onnxscript", "onnxruntime")
_TRACED: Final = 2  # units; a batch of 1 would be taken for a constant
_CHECKED: Final = (1, 3)  # units: neither is the number that was traced

Inputs = tuple[torch.Tensor, ...]


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: `inputs` by name, None for a length that varies, and how far it is off.

    `difference` is the largest between a logit of the file and the network's, on random images.
    """

    path: Path
    inputs: dict[str, list[int | None]]
    difference: float


class _Cancer(nn.Module):
    """A network that gives the logit of cancer alone."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor, present: torch.Tensor | None = None) -> torch.Tensor:
        """Logits (N,) float32."""
        outputs: torch.Tensor = (
            self.model(images) if present is None else self.model(images, present)
        )
        return outputs[:, 0]


def export_onnx(checkpoint: Checkpoint, path: Path) -> Exported:
    """Write the network as ONNX: prepared images (N * V, C, H, W) float32 to "logit" (N,).

    A network of several views also takes `present` (N, V) bool. The file's metadata say by which
    recipe images are to be prepared, and the threshold. Raises DeviceError where a package is
    missing, GateError where onnxruntime's logits differ from the network's; then nothing is left.
    """
    _require_packages()
    recipe = kept_recipe(checkpoint, "the checkpoint")
    model = _Cancer(rebuild_model(checkpoint, "the checkpoint")).eval()
    views = VIEWS[checkpoint.model_args.get("unit", "image")]
    program = _trace(model, _random_inputs(recipe, views, _TRACED), views)
    program.model.metadata_props.clear()
    _forget_machine(program.model)
    program.model.metadata_props.update(_metadata(checkpoint))
    with replacing_with_checksum(path) as aside:
        program.save(str(aside))
        difference = max(
            _difference(aside, model, _random_inputs(recipe, views, units)) for units in _CHECKED
        )
        if not difference <= TOLERANCE:  # NaN is no agreement either
            raise GateError(
                f"the logits of the exported network differ by {difference:.2g} from those of the "
                f"checkpoint, wanted at most {TOLERANCE:g}; nothing was written"
            )
    shapes = {"images": [None, recipe.channels, *recipe.size], "present": [None, views]}
    names = _names(views)
    return Exported(path, {name: shapes[name] for name in names}, difference)


def _require_packages() -> None:
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise DeviceError(
            f"export to ONNX needs {', '.join(missing)}; install mammostream[export], or export "
            "safetensors"
        )


def _names(views: int) -> list[str]:
    return ["images"] if views == 1 else ["images", "present"]


def _random_inputs(recipe: Recipe, views: int, units: int) -> Inputs:
    """Images of noise; where units have several views, one is missing in every other unit."""
    rng = np.random.default_rng(units)
    shape = (units * views, recipe.channels, *recipe.size)
    images = torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))
    if views == 1:
        return (images,)
    present = torch.ones(units, views, dtype=torch.bool)
    present[::2, rng.integers(views)] = False
    return images, present


def _trace(model: nn.Module, inputs: Inputs, views: int) -> Any:
    units = torch.export.Dim("units", min=1)
    lengths = ({0: views * units}, {0: units})
    return torch.onnx.export(
        model,
        inputs,
        dynamo=True,
        dynamic_shapes=lengths[: len(inputs)],
        input_names=_names(views),
        output_names=["logit"],
        opset_version=OPSET,
        external_data=False,
        verbose=False,
    )


def _forget_machine(model: Any) -> None:
    """Drop what the exporter notes of each node: lines of code in files of this machine."""
    for graph in (model.graph, *(function.graph for function in model.functions.values())):
        graph.metadata_props.clear()
        for part in (*graph.all_nodes(), *graph.inputs, *graph.outputs):
            part.metadata_props.clear()
            part.doc_string = None
            for value in getattr(part, "outputs", ()):
                value.metadata_props.clear()


def _difference(path: Path, model: nn.Module, inputs: Inputs) -> float:
    """The largest difference of a logit, relative to those above 1."""
    import onnxruntime  # noqa: PLC0415 - an extra, that only this needs

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    fed = dict(zip(_names(2)[: len(inputs)], (tensor.numpy() for tensor in inputs), strict=True))
    found: NDArray[np.float32] = session.run(["logit"], fed)[0]
    with torch.inference_mode():
        wanted = model(*inputs).numpy()
    return float(np.max(np.abs(found - wanted) / np.maximum(1, np.abs(wanted))))


def _metadata(checkpoint: Checkpoint) -> dict[str, str]:
    """What a program needs to prepare images and to judge scores, as texts."""
    facts = {
        "recipe": checkpoint.recipe,
        "recipe_hash": checkpoint.recipe_hash,
        "model_args": checkpoint.model_args,
        "threshold": checkpoint.threshold,
        "class_prior": checkpoint.class_prior,
        "versions": checkpoint.versions,
    }
    return {f"mammostream.{name}": json.dumps(value) for name, value in facts.items()}
