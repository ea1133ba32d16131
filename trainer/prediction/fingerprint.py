"""What the scores of a prediction depend on, to the bit."""

import hashlib
import json
from collections.abc import Sequence

import torch

from dali_pipelines.records import ImageRecord
from dali_pipelines.shards.plan import content_of
from trainer.environment import versions
from trainer.prediction.order import Order
from trainer.prediction.scorers import Scorers
from trainer.prediction.tta import Tta


def fingerprint(
    records: Sequence[ImageRecord],
    scorers: Scorers,
    order: Order,
    tta: Tta,
    device: torch.device,
) -> str:
    """SHA-256 over images, members, their order, the variants, the processor and the versions.

    How members are combined, and what becomes of that, is not part of it: the scores of each are
    kept by themselves.
    """
    told = [
        [[member.sha256, dict(member.args), member.recipe.hash] for member in scorers.members],
        str(tta),
        _processor(device),
        versions(),
    ]
    digest = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
    for array in (order.blocks, order.members):
        digest.update(repr(array.shape).encode())
        digest.update(array.tobytes())
    for record in records:
        digest.update(f"{record.image_id} {content_of(record)} {record.tags!r}\n".encode())
    return digest.hexdigest()


def _processor(device: torch.device) -> str:
    """What rounds: the kind of GPU, or the CPU's instructions that torch uses and its threads."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{torch.backends.cpu.get_cpu_capability()} {torch.get_num_threads()}"
