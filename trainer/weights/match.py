"""Which tensor of a file is which parameter of a network."""

from collections.abc import Iterable, Mapping
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


def best_match(names: Iterable[str], own: Iterable[str]) -> Match:
    """The naming and prefix by which a file of those names has the most names of the network."""
    names, own = list(names), sorted(own)
    anchors = [timm_naming(name) for name in own[:: max(1, len(own) // 3)]]  # a file may lack one
    found = [
        _renamed(naming, prefix, names)
        for naming in (*namings(), *anchors)
        for prefix in sorted(naming.prefixes(names), key=len)[:_MOST_PREFIXES]
    ]
    nothing = Match("none that is known", "", {name: name for name in names})
    return max(found, key=lambda match: len(match.sources(own)), default=nothing)


def below(name: str, modules: Iterable[str]) -> bool:
    """Whether a parameter is one of those modules or lies within one."""
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def _renamed(naming: Naming, prefix: str, names: Iterable[str]) -> Match:
    inner = [name.removeprefix(prefix) for name in names if name.startswith(prefix)]
    renamed = naming.rename(inner)
    return Match(naming.name, prefix, {prefix + name: ours for name, ours in renamed.items()})
