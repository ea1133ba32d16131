"""--ckpt and --weights of `mammo predict`: which networks score, and how much each counts."""

from pathlib import Path
from typing import Final

import click

_CHECKPOINTS: Final = {".pt", ".safetensors", ".json"}  # no input of ours ends in these
_RUN_FILES: Final = ("model.safetensors", "ckpt", "fold-0", "ensemble.json")


class MembersCommand(click.Command):
    """As click's, but --ckpt also takes the checkpoints and runs that follow its value."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """What is left of the command line."""
        return super().parse_args(ctx, repeat_ckpt(args))


def repeat_ckpt(args: list[str]) -> list[str]:
    """The same line with --ckpt before each of its values: `--ckpt A B` as `--ckpt A --ckpt B`.

    A value ends at the next option, and at what is neither a file of weights nor a run.
    """
    told: list[str] = []
    is_open = False  # whether a further value may follow
    for number, arg in enumerate(args):
        if arg == "--":
            return told + args[number:]
        if told[-1:] == ["--ckpt"]:
            is_open = True
        elif is_open and not arg.startswith("-") and _is_checkpoint(Path(arg)):
            told.append("--ckpt")
        else:
            is_open = arg.startswith("--ckpt=")
        told.append(arg)
    return told


def _is_checkpoint(path: Path) -> bool:
    """Whether the name is that of weights, or of the folder of a run."""
    return path.suffix in _CHECKPOINTS or any((path / name).exists() for name in _RUN_FILES)


def parse_weights(
    _context: click.Context, _parameter: click.Parameter, text: str | None
) -> tuple[float, ...]:
    """The numbers of "2,1,1", () where nothing is said; BadParameter where they are none."""
    if text is None:
        return ()
    try:
        weights = tuple(float(part) for part in text.split(","))
    except ValueError:
        weights = ()
    if not weights or not all(0 < weight < float("inf") for weight in weights):
        raise click.BadParameter(f"must be numbers above 0 such as 2,1,1, not {text!r}")
    return weights
