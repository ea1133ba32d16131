"""The published sets of weights by name, each with what its network was trained on.

Which set a file is follows from the names and shapes in it, never from its own name.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from trainer.weights.files import read_weight_file

Shape = tuple[int, ...]

_IMAGENET: Final = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HALF: Final = ((0.5,) * 3, (0.5,) * 3)
_CLIP: Final = ((0.3089279,) * 3, (0.25053555408335154,) * 3)
_CLIP_LICENSE: Final = (
    "Mammo-CLIP is CC BY-NC-SA 4.0; Mammo-FM, of the same layout, is for academic use and may not "
    "be passed on"
)


@dataclass(frozen=True, slots=True)
class WeightSet:
    """A published set: the timm network that it fits, and the images it was trained on.

    `pool` and `padding` are of ModelSettings. `recipe` prepares images as its authors did, "" where
    it was trained on photographs. `mean` and `std` are of values from 0 to 1, a channel each,
    `size` is (H, W) px. `license` says in a line what its authors allow.

    A file is of the set where all its names of `signs`, without their prefix, have those shapes;
    None is for a name that it lacks. `prefix` must be the end of that prefix.
    """

    name: str
    model: str
    pool: Literal["default", "avg", "max"]
    padding: Literal["own", "nominal"]
    recipe: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: tuple[int, int]
    license: str
    signs: Mapping[str, Shape | None] = field(repr=False)
    prefix: str = ""

    def train_layer(self) -> dict[str, Any]:
        """The settings that the set brings, as a layer of TrainSettings below the user's own."""
        return {"model": {"name": self.model, "pool": self.pool, "padding": self.padding}}

    def departures(
        self, size: tuple[int, int], mean: Iterable[float], std: Iterable[float]
    ) -> list[str]:
        """What a recipe of that size and those means and deviations does otherwise than the set.

        Each is a piece of a sentence, as "size 512 x 512 for 2048 x 1024". Means and deviations are
        compared by their average over channels, since a stem of 3 channels is folded into 1.
        """
        found = [(list(mean), self.mean, "mean"), (list(std), self.std, "std")]
        pieces = [
            f"{name} {_average(theirs):.3f} for {_average(own):.3f}"
            for theirs, own, name in found
            if abs(_average(theirs) - _average(own)) > 1e-3
        ]
        if self.recipe and size != self.size:
            pieces.insert(0, "size {} x {} for {} x {}".format(*size, *self.size))
        return pieces


SETS: Final = (
    WeightSet(
        "mammo-clip-b2", "tf_efficientnet_b2", "avg", "nominal", "mammo-clip", *_CLIP, (1520, 912),
        _CLIP_LICENSE,
        {"_conv_stem.weight": (32, 3, 3, 3), "_conv_head.weight": (1408, 352, 1, 1)},
        "image_encoder.",
    ),
    WeightSet(
        "mammo-clip-b5", "tf_efficientnet_b5", "avg", "nominal", "mammo-clip", *_CLIP, (1520, 912),
        _CLIP_LICENSE,
        {"_conv_stem.weight": (48, 3, 3, 3), "_conv_head.weight": (2048, 512, 1, 1)},
        "image_encoder.",
    ),
    WeightSet(
        "mirai", "resnet18", "max", "own", "mirai",
        (7047.99 / 65535,) * 3, (12005.5 / 65535,) * 3, (2048, 1664),
        "the code of Mirai is MIT; its weights come without terms of their own",
        {"downsampler.conv1.weight": (64, 3, 7, 7), "layer4_1.conv2.weight": (512, 512, 3, 3)},
    ),
    WeightSet(
        "rsna-1st", "convnext_small", "max", "own", "rsna-1st", *_IMAGENET, (2048, 1024),
        "the code is MIT; the data it was trained on is for non-commercial use",
        {
            "stem.0.weight": (96, 3, 4, 4), "stages.2.blocks.26.gamma": (384,),
            "stages.2.blocks.27.gamma": None, "head.fc.weight": (1, 768),
        },
    ),
    WeightSet(
        "convnextv2-tiny", "convnextv2_tiny", "default", "own", "", *_IMAGENET, (224, 224),
        "ConvNeXt V2's weights are CC BY-NC 4.0",
        {
            "downsample_layers.0.0.weight": (96, 3, 4, 4),
            "stages.2.8.grn.gamma": (1, 1, 1, 1536), "stages.2.9.grn.gamma": None,
        },
    ),
    WeightSet(
        "convnextv2-tiny", "convnextv2_tiny", "default", "own", "", *_IMAGENET, (224, 224),
        "ConvNeXt V2's weights are CC BY-NC 4.0",
        {
            "stem.0.weight": (96, 3, 4, 4),
            "stages.2.blocks.8.mlp.grn.weight": (1536,), "stages.2.blocks.9.mlp.grn.weight": None,
        },
    ),
    WeightSet(
        "convnext-small", "convnext_small", "default", "own", "", *_IMAGENET, (224, 224),
        "ConvNeXt's weights are MIT",
        {
            "stem.0.weight": (96, 3, 4, 4), "stages.2.blocks.26.gamma": (384,),
            "stages.2.blocks.27.gamma": None, "head.fc.weight": (1000, 768),
        },
    ),
    WeightSet(
        "vit-base-in21k", "vit_base_patch16_224", "default", "own", "", *_HALF, (224, 224),
        "Apache-2.0",
        {
            "patch_embed.proj.weight": (768, 3, 16, 16), "pos_embed": (1, 197, 768),
            "blocks.11.mlp.fc2.bias": (768,), "blocks.12.mlp.fc2.bias": None,
            "head.weight": (21843, 768),
        },
    ),
    WeightSet(
        "resnet18-imagenet", "resnet18", "default", "own", "", *_IMAGENET, (224, 224),
        "torchvision's weights are BSD-3-Clause, timm's Apache-2.0",
        {
            "conv1.weight": (64, 3, 7, 7), "layer4.1.conv2.weight": (512, 512, 3, 3),
            "layer4.2.conv2.weight": None, "fc.weight": (1000, 512),
        },
    ),
    WeightSet(
        "resnext50-imagenet", "resnext50_32x4d", "default", "own", "", *_IMAGENET, (224, 224),
        "torchvision's weights are BSD-3-Clause, timm's Apache-2.0",
        {
            "conv1.weight": (64, 3, 7, 7), "layer1.0.conv2.weight": (128, 4, 3, 3),
            "layer3.6.conv2.weight": None, "fc.weight": (1000, 2048),
        },
    ),
)  # fmt: skip


def recognize(path: Path) -> WeightSet | None:
    """The published set that a weight file holds, None where it is of none of them.

    Raises CheckpointError where the file cannot be read as weights.
    """
    return recognize_shapes(read_weight_file(path).shapes)


def recognize_shapes(shapes: Mapping[str, Shape]) -> WeightSet | None:
    """As `recognize`, from the shapes of the file's tensors by name."""
    return next((known for known in SETS if _is_of(known, shapes)), None)


def _is_of(known: WeightSet, shapes: Mapping[str, Shape]) -> bool:
    first = next(iter(known.signs))
    prefixes = [n.removesuffix(first) for n in shapes if n == first or n.endswith(f".{first}")]
    return any(
        prefix.endswith(known.prefix)
        and all(shapes.get(prefix + name) == shape for name, shape in known.signs.items())
        for prefix in prefixes
    )


def _average(values: Iterable[float]) -> float:
    values = list(values)
    return sum(values) / len(values)
