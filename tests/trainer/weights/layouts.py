"""Random weights in the published layouts, and features to compare networks by."""

from pathlib import Path
from typing import Any

import torch
from torch import nn

from trainer.networks.build import build_model
from trainer.weights.load import WeightReport

OMEGACONF = '''
    """Objects as those that omegaconf pickles: a list whose parents drag the whole config in."""
    from collections import defaultdict
    from typing import Any

    class ContainerMetadata:
        def __init__(self):
            self.ref_type, self.object_type, self.optional = Any, list, True
            self.element_type, self.flags = int, defaultdict(dict, {"readonly": None})

    class AnyNode:
        def __init__(self, value, parent):
            self.__dict__.update(_val=value, _parent=parent, _metadata=ContainerMetadata())

    class ListConfig:
        def __init__(self, values):
            parent = AnyNode("config", None)
            content = [AnyNode(value, self) for value in values]
            self.__dict__.update(_content=content, _parent=parent, _metadata=ContainerMetadata())
'''


def randomized(network: nn.Module) -> Any:
    """The network in float64, every number of it at random, batch norms' statistics too."""
    network = network.double().eval()
    generator = torch.Generator().manual_seed(0)
    for name, value in network.state_dict().items():
        if not value.is_floating_point():
            continue
        noise = torch.randn(value.shape, generator=generator, dtype=value.dtype)
        if value.ndim > 1:  # keeps the scale of what passes
            value.copy_(noise / max(1, value[0].numel()) ** 0.5)
        else:
            value.copy_(0.1 * noise + (not name.endswith(("bias", "running_mean"))))
    return network


def built(name: str, **args: Any) -> Any:
    """Our network for 3 channels, in float64."""
    return build_model({"model_name": name, "in_chans": 3, "num_classes": 1, **args}).double()


@torch.no_grad()
def difference(theirs: nn.Module, ours: Any, size: tuple[int, int]) -> float:
    """The largest difference of what our head is given from what their network gives.

    In units of the standard deviation of theirs.
    """
    images = torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(1)).double()
    expected = theirs(images)
    ours.eval()
    features = ours.forward_head(ours.forward_features(images), pre_logits=True)
    assert features.shape == expected.shape
    return float((features - expected).abs().max() / expected.std())


def is_whole(report: WeightReport, known: str | None) -> bool:
    """Whether all of a network was matched by a file of that set, and all of the file used."""
    name = report.known and report.known.name
    return report.share == 1 and not (report.missing or report.unexpected) and name == known


def save_mammo_clip(path: Path, encoder: nn.Module, lists: Any, name: str) -> None:
    """As Mammo-CLIP's trainer saves: both encoders, the optimizer and a config with live lists."""
    clip = nn.Module()
    clip.image_encoder = encoder
    clip.text_encoder = nn.Sequential(nn.Embedding(50, 8), nn.LayerNorm(8), nn.Linear(8, 8))
    clip.image_projection = nn.Linear(16, 8)
    clip.logit_scale = nn.Parameter(torch.tensor(2.6))
    optimizer = torch.optim.AdamW(clip.text_encoder.parameters())
    clip.text_encoder(torch.tensor([1])).sum().backward()
    optimizer.step()
    config = {"base": {"mean": 0.3089279}, "model": {"image_encoder": {"name": name}}}
    torch.save(
        {
            "model": clip.state_dict(),
            "optimizer": optimizer.state_dict(),
            "scheduler": {"base_lrs": [5e-5], "last_epoch": 10},
            "config": {**config, "transform": {"affine_scale": lists([0.8, 1.2])}},
            "epoch": 10,
            "train_loss": torch.tensor(0.7),
        },
        path,
    )
