"""Which tensor of a file is which parameter of a network."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from trainer.weights.namings import Naming, namings, timm_naming

COMPUTED: Final = (  # buffers that are no weights: made anew when a network is built, or by use
    "num_batches_tracked",
    "relative_position_index",
    "attn_mask",
)
_MOST_PREFIXES: Final = 16  # a file of several networks has a few


@dataclass(frozen=True, slots=True)
class Match:
    """How a file's names were understood: the network's own name by that of the file, in full.

    `renamed` holds every name that stands for a part of a backbone or head, whether or not the
    network has it.
    """

    naming: str
    prefix: str
    renamed: Mapping[str, str]

    def sources(self, own: Iterable[str]) -> dict[str, str]:
        """The name in the file of each of the network's names that it has."""
        wanted = set(own)
        return {ours: theirs for theirs, ours in self.renamed.items() if ours in wanted}


Shapes = Mapping[str, Sequence[int]]


def best_match(shapes: Shapes, own: Shapes) -> Match:
    """The naming and prefix by which a file of those shapes has the most of the network's.

    Where two networks in a file have its names, as a ResNet-50 that taught a ResNet-18, shapes
    tell them apart.
    """
    names, every = list(shapes), sorted(own)
    anchors = [timm_naming(n) for n in every[:: max(1, len(every) // 3)]]  # a file may lack one
    found = [
        _renamed(naming, prefix, names)
        for naming in (*namings(), *anchors)
        for prefix in sorted(naming.prefixes(names), key=len)[:_MOST_PREFIXES]
    ]
    nothing = Match("none that is known", "", {name: name for name in names})
    return max(found, key=lambda match: _likeness(match.sources(own), shapes, own), default=nothing)


def sides(shape: Sequence[int]) -> list[int]:
    """The shape without sides of 1."""
    return [side for side in shape if side != 1]


def _likeness(sources: Mapping[str, str], shapes: Shapes, own: Shapes) -> tuple[int, int]:
    """How many have the shape that is wanted, and the name."""
    alike = sum(sides(shapes[theirs]) == sides(own[ours]) for ours, theirs in sources.items())
    return alike, len(sources)


def below(name: str, modules: Iterable[str]) -> bool:
    """Whether a parameter is one of those modules or lies within one."""
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def _renamed(naming: Naming, prefix: str, names: Iterable[str]) -> Match:
    inner = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    renamed = naming.rename(inner)
    return Match(naming.name, prefix, {prefix + name: ours for name, ours in renamed.items()})
