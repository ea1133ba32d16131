"""Another's weights given to a network: renamed to timm's names, fitted, and counted."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from torch import nn

from dali_pipelines.errors import CheckpointError
from trainer.networks.views import backbone_of
from trainer.weights.files import read_weight_file
from trainer.weights.fit import fold_stem, resize_biases, resize_positions
from trainer.weights.match import COMPUTED, Match, below, best_match
from trainer.weights.sets import WeightSet, recognize_shapes
from trainer.weights.stored import ForeignError, WeightFile, printable

_LEAST: Final = 0.95  # of the numbers of the backbone, and of those that the file has for one
_NO_BACKBONE: Final = ("pre_logits",)  # a layer before the head of ViTs of 2020, which timm dropped


@dataclass(frozen=True, slots=True)
class WeightReport:
    """What became of a weight file: names of the network that got weights, and that did not.

    `unexpected` are names of the file that the network has no place for; heads count as neither.
    `reshaped` were fitted to other channels or another size. `share` is how much of the numbers of
    the network's backbone was given, `known` the published set that the file is of.
    """

    naming: str
    prefix: str
    matched: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: tuple[str, ...]
    share: float
    known: WeightSet | None

    def line(self) -> str:
        """One sentence for the log."""
        known = f"{self.known.name} ({self.known.license})" if self.known else "no published set"
        return f"weights of {known}, {self.counts()}, {len(self.reshaped)} reshaped"

    def counts(self) -> str:
        """How much matched, and the first of what did not."""
        return (
            f"named as by {self.naming}: {len(self.matched)} tensors matched "
            f"({self.share:.1%} of the backbone), "
            f"{len(self.missing)} missing{_some(self.missing)}, "
            f"{len(self.unexpected)} unexpected{_some(self.unexpected)}"
        )


def load_weights(model: nn.Module, path: Path) -> WeightReport:
    """Give a network's backbone the weights of a file; its head keeps what it has.

    The backbone is the timm network within a network of several views, else `model` itself. Raises
    CheckpointError, and leaves the network as it is, where the file cannot be read, has less than
    95 % of the backbone's numbers, or where that has a place for less than 95 % of the file's.
    """
    file = read_weight_file(path)
    backbone = backbone_of(model)
    heads = (*_names(getattr(backbone, "default_cfg", None) or {}, "classifier"), *_NO_BACKBONE)
    own = {
        name: value
        for name, value in backbone.state_dict().items()
        if not below(name, heads) and not name.endswith(COMPUTED)
    }
    match = best_match(file.shapes, own)
    try:
        values = _values(file, match.sources(own), backbone)
    except ForeignError as error:
        raise CheckpointError(f"weight file {str(path)!r} {error}") from error
    values = {name: value for name, value in values.items() if value.shape == own[name].shape}
    report = _report(file, match, own, values, heads)
    _require_fit(report, file, match, type(backbone).__name__, path)
    backbone.load_state_dict(values, strict=False)
    return report


def _values(
    file: WeightFile, sources: dict[str, str], backbone: nn.Module
) -> dict[str, torch.Tensor]:
    """The file's tensors by the network's names, in the shapes that it has for them."""
    own = backbone.state_dict()
    stems = {
        f"{n}.weight" for n in _names(getattr(backbone, "default_cfg", None) or {}, "first_conv")
    }
    read = file.read(sources.values())
    values = {}
    for name, source in sources.items():
        value = read[source]
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise ForeignError("holds weights that are no numbers; it is of a run that failed")
        if name in stems:
            value = fold_stem(value, own[name].shape[1])
        elif name == "pos_embed":
            value = resize_positions(value, backbone)
        elif name.endswith(".relative_position_bias_table"):
            attention: Any = backbone.get_submodule(name.rpartition(".")[0])
            value = resize_biases(value, attention.window_size)
        elif _sides(value) == _sides(own[name]):  # (1, 1, 1, C) for (C,), never (A, B) for (B, A)
            value = value.reshape(own[name].shape)
        values[name] = value
    return values


def _report(
    file: WeightFile,
    match: Match,
    own: dict[str, torch.Tensor],
    values: dict[str, torch.Tensor],
    heads: Sequence[str],
) -> WeightReport:
    sources = match.sources(values)
    return WeightReport(
        naming=match.naming,
        prefix=match.prefix,
        matched=tuple(values),
        missing=tuple(name for name in own if name not in values),
        unexpected=tuple(
            theirs
            for theirs, ours in match.renamed.items()
            if not (ours in values or below(ours, heads) or ours.endswith(COMPUTED))
        ),
        reshaped=tuple(n for n, theirs in sources.items() if file.shapes[theirs] != own[n].shape),
        share=_count(own[n].shape for n in values) / _count(v.shape for v in own.values()),
        known=recognize_shapes(file.shapes),
    )


def _require_fit(
    report: WeightReport, file: WeightFile, match: Match, network: str, path: Path
) -> None:
    """Raise CheckpointError where too much of the network, or of the file, was left out."""
    given = _count(file.shapes[theirs] for theirs in match.sources(report.matched).values())
    left = _count(file.shapes[theirs] for theirs in report.unexpected)
    if report.share < _LEAST or given < _LEAST * (given + left):
        wanted = f"; it is for timm's {report.known.model!r}" if report.known else ""
        raise CheckpointError(
            f"{str(path)!r} is of another network than {network}, {report.counts()}; wanted "
            f"{_LEAST:.0%} of either{wanted}"
        )


def _names(config: object, key: str) -> tuple[str, ...]:
    """The modules that timm's config of a network names by `key`."""
    value = config.get(key) if hasattr(config, "get") else None
    return () if not value else (value,) if isinstance(value, str) else tuple(value)


def _sides(tensor: torch.Tensor) -> list[int]:
    return [side for side in tensor.shape if side != 1]


def _count(shapes: Iterable[Sequence[int]]) -> int:
    return sum(math.prod(shape) for shape in shapes)


def _some(names: Sequence[str]) -> str:
    """The first names in brackets."""
    listed = ", ".join(printable(name) for name in names[:3])
    return f" ({listed}{', ...' if len(names) > 3 else ''})" if names else ""
