"""`mammo export`: a checkpoint as ONNX or safetensors."""

import json
from pathlib import Path
from typing import Any, Final

import click

from cli.checks import require_apart
from cli.options import json_option
from dali_pipelines.errors import ConfigError

_SUFFIXES: Final = {"onnx": ".onnx", "safetensors": ".safetensors"}


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path), metavar="CKPT")
@click.option(
    "-O", "--out", required=True, type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="What to write, ending in .onnx or .safetensors.",
)  # fmt: skip
@click.option(
    "--format", "kind", type=click.Choice(list(_SUFFIXES)), show_default="as FILE ends",
    help="What the file is.",
)  # fmt: skip
@json_option
def command(*, checkpoint: Path, out: Path, kind: str | None, as_json: bool) -> None:
    r"""Write the network of a checkpoint as ONNX or safetensors.

    \b
    mammo export runs/first/ckpt/best.pt -O model.onnx
    mammo export runs/first/ckpt/best.pt -O model.safetensors

    ONNX takes prepared images, any number at a time, and gives the logit of cancer; onnxruntime
    must give what the network gives, or nothing is written. Safetensors holds the weights, with all
    else in a .json beside it; `mammo predict --ckpt` takes either. The SHA-256 of each file lies
    beside it.
    """
    from trainer.artifact import load_to_score, save_artifact
    from trainer.export import export_onnx

    kind = _kind(out, kind)
    require_apart([out, out.with_suffix(".json")], [checkpoint, checkpoint.with_suffix(".json")])
    kept = load_to_score(checkpoint)
    facts: dict[str, Any] = {"path": str(out), "format": kind, "recipe_hash": kept.recipe_hash}
    out.parent.mkdir(parents=True, exist_ok=True)
    if kind == "onnx":
        made = export_onnx(kept, out)
        facts |= {"inputs": made.inputs, "largest_difference": made.difference}
        click.echo(f"onnxruntime's logits differ by at most {made.difference:.1e}", err=True)
    else:
        save_artifact(kept, out)
    click.echo(json.dumps(facts) if as_json else str(out))


def _kind(out: Path, asked: str | None) -> str:
    """The format asked for, else the one the file is named as; ConfigError where they differ."""
    named = next((kind for kind, suffix in _SUFFIXES.items() if out.suffix == suffix), None)
    if named is None or asked not in {None, named}:
        wanted = " or ".join(_SUFFIXES.values()) if asked is None else _SUFFIXES[asked]
        raise ConfigError(f"-O {str(out)!r} must end in {wanted}")
    return named
