"""How others name the parameters of networks that timm has too, and timm's names for them.

Each naming is known by one parameter that a file of it always has; what stands before that name in
the file is a prefix of all its names ("module.", "image_encoder.", ...).
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from trainer.weights.efficientnet_names import pytorch_names, torchvision_names

Rename = Callable[[Iterable[str]], dict[str, str]]  # timm's names by the names of a file


@dataclass(frozen=True, slots=True)
class Naming:
    """A way to name parameters: a `marker` that it always has, and `rename` to timm's names.

    Names that belong to no backbone (heads, pools with parameters) are left out by `rename`.
    """

    name: str
    marker: str
    rename: Rename

    def prefixes(self, names: Iterable[str]) -> list[str]:
        """What may stand before every name of it in a file with those names."""
        end = f".{self.marker}"
        return [
            name.removesuffix(self.marker)
            for name in names
            if name == self.marker or name.endswith(end)
        ]


def timm_naming(first: str) -> Naming:
    """Timm's own names, torchvision's of ResNets among them; `first` is one of the network's."""
    return Naming("timm", first, lambda names: {name: name for name in names})


def namings() -> tuple[Naming, ...]:
    """Every naming but timm's own."""
    return _NAMINGS


def _by_rules(*rules: tuple[str, str]) -> Rename:
    """A rename by the first rule that matches the whole name; a name without a rule is left out."""
    compiled = [(re.compile(pattern), replacement) for pattern, replacement in rules]

    def rename(names: Iterable[str]) -> dict[str, str]:
        renamed = {}
        for name in names:
            matches = ((p.fullmatch(name), r) for p, r in compiled)
            found = next(((match, r) for match, r in matches if match), None)
            if found:
                renamed[name] = found[0].expand(found[1])
        return renamed

    return rename


_NAMINGS: Final = (
    Naming("efficientnet_pytorch", "_conv_stem.weight", pytorch_names),
    Naming(
        "Mirai",
        "downsampler.conv1.weight",
        _by_rules(
            (r"downsampler\.(conv1|bn1)\.(\w+)", r"\1.\2"),
            (r"layer([1-4])_(\d+)\.(.+)", r"layer\1.\2.\3"),
        ),
    ),
    Naming(
        "ConvNeXt of its authors",
        "downsample_layers.0.0.weight",
        _by_rules(
            (r"downsample_layers\.0\.([01]\.\w+)", r"stem.\1"),
            (r"downsample_layers\.(\d+)\.([01]\.\w+)", r"stages.\1.downsample.\2"),
            (r"stages\.(\d+)\.(\d+)\.dwconv\.(\w+)", r"stages.\1.blocks.\2.conv_dw.\3"),
            (r"stages\.(\d+)\.(\d+)\.pwconv([12])\.(\w+)", r"stages.\1.blocks.\2.mlp.fc\3.\4"),
            (r"stages\.(\d+)\.(\d+)\.grn\.gamma", r"stages.\1.blocks.\2.mlp.grn.weight"),
            (r"stages\.(\d+)\.(\d+)\.grn\.beta", r"stages.\1.blocks.\2.mlp.grn.bias"),
            (r"stages\.(\d+)\.(\d+)\.(norm\.\w+|gamma)", r"stages.\1.blocks.\2.\3"),
            (r"norm\.(\w+)", r"head.norm.\1"),
            (r"head\.(\w+)", r"head.fc.\1"),
        ),
    ),
    Naming(
        "EfficientNet of torchvision",
        "features.1.0.block.0.0.weight",
        torchvision_names,
    ),
    Naming(
        "ConvNeXt of torchvision",
        "features.1.0.block.5.weight",
        _by_rules(
            (r"features\.0\.([01]\.\w+)", r"stem.\1"),
            *(
                (rf"features\.{2 * i}\.([01]\.\w+)", rf"stages.{i}.downsample.\1")
                for i in (1, 2, 3)
            ),
            *(
                (rf"features\.{2 * i + 1}\.(\d+)\.{theirs}", rf"stages.{i}.blocks.\1.{ours}")
                for i in range(4)
                for theirs, ours in (
                    (r"block\.0\.(\w+)", r"conv_dw.\2"),
                    (r"block\.2\.(\w+)", r"norm.\2"),
                    (r"block\.3\.(\w+)", r"mlp.fc1.\2"),
                    (r"block\.5\.(\w+)", r"mlp.fc2.\2"),
                    (r"layer_scale", r"gamma"),
                )
            ),
            (r"classifier\.0\.(\w+)", r"head.norm.\1"),
            (r"classifier\.2\.(\w+)", r"head.fc.\1"),
        ),
    ),
)
