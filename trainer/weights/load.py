"""Another's weights given to a network: renamed to timm's names, fitted, and counted."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import torch
from torch import nn

from dali_pipelines.errors import CheckpointError
from trainer.networks.views import backbone_of
from trainer.printable import printable
from trainer.weights.files import read_weight_file
from trainer.weights.fit import fold_stem, resize_biases, resize_positions
from trainer.weights.match import COMPUTED, Match, below, best_match, sides
from trainer.weights.sets import WeightSet, recognize_shapes
from trainer.weights.stored import ForeignError, WeightFile

_LEAST: Final = 0.95  # of the backbone, and of what the file has for one
_RESIZED: Final = ("pos_embed", "relative_position_bias_table")
_NO_BACKBONE: Final = ("pre_logits",)  # a layer before the head of ViTs of 2020, which timm dropped


@dataclass(frozen=True, slots=True)
class WeightReport:
    """What became of a weight file: names of the network that got weights, and that did not.

    `unexpected` are names of the file that the network has no place for; heads count as neither.
    `reshaped` were fitted to other channels or another size. `share` is how much of the network's
    backbone was given, of its tensors or of their numbers, whichever is less: statistics and scales
    are few numbers, and all that comes after them is wrong without. `known` is the published set
    that the file is of.
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


def load_weights(
    model: nn.Module, path: Path, stem: Literal["sum", "mean"] = "sum"
) -> WeightReport:
    """Give a network's backbone the weights of a file; its head keeps what it has.

    The backbone is the timm network within a network of several views, else `model` itself; `stem`
    says what becomes of a first layer of several channels where it has one. Raises CheckpointError,
    and leaves the network as it is, where the file cannot be read, has less than 95 % of the
    backbone, or where that has a place for less than 95 % of the file.
    """
    file = read_weight_file(path)
    backbone = backbone_of(model)
    heads = (*_names(getattr(backbone, "default_cfg", None) or {}, "classifier"), *_NO_BACKBONE)
    own = {
        name: value
        for name, value in backbone.state_dict().items()
        if not below(name, heads) and not name.endswith(COMPUTED)
    }
    match = best_match(file.shapes, {name: value.shape for name, value in own.items()})
    try:
        values = _values(file, match.sources(own), backbone, stem)
    except ForeignError as error:
        raise CheckpointError(f"weight file {str(path)!r} {error}") from error
    except (OSError, MemoryError) as error:
        raise CheckpointError(f"weight file {str(path)!r} cannot be read: {error}") from error
    values = {name: value for name, value in values.items() if value.shape == own[name].shape}
    report = _report(file, match, own, values, heads)
    _require_fit(report, file, match, type(backbone).__name__, path)
    backbone.load_state_dict(values, strict=False)
    return report


def _values(
    file: WeightFile, sources: dict[str, str], backbone: nn.Module, how: Literal["sum", "mean"]
) -> dict[str, torch.Tensor]:
    """The file's tensors by the network's names, in the shapes and types that it has for them.

    Whole numbers for fractions are those of a quantized network, and left out.
    """
    own = backbone.state_dict()
    config = getattr(backbone, "default_cfg", None) or {}
    stems = {f"{name}.weight" for name in _names(config, "first_conv")}
    sources = {
        name: source
        for name, source in sources.items()
        if name in stems or name.endswith(_RESIZED)  # else (1, 1, C) for (C,), no (A, B) for (B, A)
        or sides(file.shapes[source]) == sides(own[name].shape)
    }  # fmt: skip
    read = file.read(sources.values())
    values = {}
    for name, source in sources.items():
        if read[source].is_floating_point() != own[name].is_floating_point():
            continue
        value = read[source].to(own[name].dtype)
        if value.is_floating_point() and not bool(value.isfinite().all()):
            raise ForeignError("holds weights that are no numbers; it is of a run that failed")
        if name in stems:
            values[name] = fold_stem(value, own[name].shape[1], how)
        elif name.endswith(_RESIZED):
            values[name] = _resized(name, value, backbone)
        else:
            values[name] = value.reshape(own[name].shape)
    return values


def _resized(name: str, value: torch.Tensor, backbone: nn.Module) -> torch.Tensor:
    """What a network knows of places, for the size of this one's images."""
    if name.endswith("pos_embed"):
        return resize_positions(value, backbone)
    attention: Any = backbone.get_submodule(name.rpartition(".")[0])
    return resize_biases(value, attention.window_size)


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
        share=min(
            len(values) / len(own),
            _count(own[n].shape for n in values) / _count(v.shape for v in own.values()),
        ),
        known=recognize_shapes(file.shapes),
    )


def _require_fit(
    report: WeightReport, file: WeightFile, match: Match, network: str, path: Path
) -> None:
    """Raise CheckpointError where too much of the network, or of the file, was left out."""
    given = _count(file.shapes[theirs] for theirs in match.sources(report.matched).values())
    left = _count(file.shapes[theirs] for theirs in report.unexpected)
    parts = {name.partition(".")[0] for name in (*report.matched, *report.missing)}
    within = sum(match.renamed[n].partition(".")[0] in parts for n in report.unexpected)
    used = min(_part(given, left), _part(len(report.matched), within))
    if min(report.share, used) < _LEAST:
        wanted = f"; it is for timm's {report.known.model!r}" if report.known else ""
        raise CheckpointError(
            f"{str(path)!r} is of another network than {network}, {report.counts()}; wanted "
            f"{_LEAST:.0%} of either{wanted}"
        )


def _names(config: object, key: str) -> tuple[str, ...]:
    """The modules that timm's config of a network names by `key`."""
    value = config.get(key) if hasattr(config, "get") else None
    return () if not value else (value,) if isinstance(value, str) else tuple(value)


def _part(used: int, left: int) -> float:
    return used / max(1, used + left)


def _count(shapes: Iterable[Sequence[int]]) -> int:
    return sum(math.prod(shape) for shape in shapes)


def _some(names: Sequence[str]) -> str:
    """The first names in brackets."""
    listed = ", ".join(printable(name) for name in names[:3])
    return f" ({listed}{', ...' if len(names) > 3 else ''})" if names else ""
