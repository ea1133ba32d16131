"""Timm's names of EfficientNets for those of efficientnet_pytorch and of torchvision.

Both tell the layers of a block by their place or by names that mean another layer in another kind
of block; timm has a name for each layer of each kind.
"""

import math
import re
from collections.abc import Iterable, Mapping
from typing import Final

_Kind = Mapping[str, str | tuple[str, str]]

_DEPTHS: Final = (1.0, 1.1, 1.2, 1.4, 1.8, 2.2, 2.6, 3.1)  # of B0 ... B7, Tan & Le 2019, table 1
_REPEATS: Final = (1, 2, 2, 3, 3, 4, 1)  # blocks of each stage of B0

_SEPARABLE: Final = {  # depthwise separable blocks, of stage 0, have no expansion
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_se_reduce": "se.conv_reduce",
    "_se_expand": "se.conv_expand",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}
_INVERTED: Final = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_se_reduce": "se.conv_reduce",
    "_se_expand": "se.conv_expand",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
_AROUND: Final = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
_SQUEEZE: Final = {"fc1": "se.conv_reduce", "fc2": "se.conv_expand"}
_TORCHVISION: Final[
    tuple[tuple[str, _Kind], ...]
] = (  # a layer that this kind of block alone has, and timm's names of its layers
    (
        "3.0",
        {"0": ("conv_pw", "bn1"), "1": ("conv_dw", "bn2"), "2": "se", "3": ("conv_pwl", "bn3")},
    ),
    ("1.fc1", {"0": ("conv_dw", "bn1"), "1": "se", "2": ("conv_pw", "bn2")}),
    ("1.0", {"0": ("conv_exp", "bn1"), "1": ("conv_pwl", "bn2")}),  # fused blocks of V2
    ("0.0", {"0": ("conv", "bn1")}),
)
_BLOCK: Final = re.compile(r"features\.([1-9])\.(\d{1,3})\.block\.([0-3]\.\w+)\.(\w+)")
_OUTSIDE: Final = re.compile(r"features\.(\d)\.([01])\.(\w+)")


def pytorch_names(names: Iterable[str]) -> dict[str, str]:
    """Timm's names by those of efficientnet_pytorch, which counts blocks through all stages."""
    parts = {name: name.split(".") for name in names}
    blocks = {p[1] for p in parts.values() if p[0] == "_blocks" and len(p) > 3}
    stages = _stages(len(blocks))
    renamed = {}
    for name, (first, *rest) in parts.items():
        if first in _AROUND:
            renamed[name] = ".".join((_AROUND[first], *rest))
        elif first == "_blocks" and len(rest) > 2 and rest[0] in stages:
            stage, place = stages[rest[0]]
            layer = (_INVERTED if stage else _SEPARABLE).get(rest[1])
            if layer:
                renamed[name] = ".".join(("blocks", str(stage), str(place), layer, *rest[2:]))
    return renamed


def _stages(count: int) -> dict[str, tuple[int, int]]:
    """(stage, place in it) of each of `count` blocks of an EfficientNet; {} if there is none."""
    for depth in _DEPTHS:
        lengths = [math.ceil(repeat * depth) for repeat in _REPEATS]
        if sum(lengths) == count:
            places = [(stage, place) for stage, n in enumerate(lengths) for place in range(n)]
            return {str(block): place for block, place in enumerate(places)}
    return {}


def torchvision_names(names: Iterable[str]) -> dict[str, str]:
    """Timm's names by those of torchvision's EfficientNets and V2, whose layers have numbers."""
    names = list(names)
    renamed = _torchvision_blocks(names)
    outside = {name: found for name in names if (found := _OUTSIDE.fullmatch(name))}
    last = max((found[1] for found in outside.values()), default="")
    around = {last: ("conv_head", "bn2"), "0": ("conv_stem", "bn1")}
    for name, found in outside.items():
        if found[1] in around:
            renamed[name] = f"{around[found[1]][int(found[2])]}.{found[3]}"
    for name in names:
        if name.startswith("classifier.1."):
            renamed[name] = name.replace("classifier.1.", "classifier.")
    return renamed


def _torchvision_blocks(names: Iterable[str]) -> dict[str, str]:
    matches = {name: found for name in names if (found := _BLOCK.fullmatch(name))}
    layers: dict[tuple[str, str], set[str]] = {}
    for found in matches.values():
        layers.setdefault((found[1], found[2]), set()).add(found[3])
    renamed = {}
    for name, found in matches.items():
        has = layers[found[1], found[2]]
        kind: _Kind = next((kind for sign, kind in _TORCHVISION if sign in has), {})
        layer = _layer(kind, found[3])
        if layer:
            renamed[name] = f"blocks.{int(found[1]) - 1}.{found[2]}.{layer}.{found[4]}"
    return renamed


def _layer(kind: _Kind, place: str) -> str | None:
    """Timm's name of the layer at "3.0" or "2.fc1" in a block of that kind."""
    number, _, part = place.partition(".")
    layer = kind.get(number)
    if isinstance(layer, tuple):
        return layer[int(part)] if part in ("0", "1") else None
    return _SQUEEZE.get(part) if layer else None
