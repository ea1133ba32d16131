"""One pass that scores: each image once, its logit on every rank.

blocks -> source -> batch -> model -> logit of a unit -> logits of its images
"""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from dali_pipelines.errors import CheckpointError
from dali_pipelines.plan import Blocks, rank_blocks
from dali_pipelines.stages import Batch
from trainer.distributed import World
from trainer.networks.build import logits_of
from trainer.optim.speed import precision
from trainer.source import Source

Scores = tuple[NDArray[np.int64], NDArray[np.float64]]  # indices (n,) and their logits (n,)


def score_pass(
    model: nn.Module,
    source: Source,
    blocks: Blocks,
    world: World,
    amp: str = "auto",
    views: int = 1,
    waits: Callable[[Iterator[Batch]], Iterator[Batch]] = iter,
) -> Iterator[Scores]:
    """Logits of the valid images in this rank's share of `blocks`, a batch at a time.

    Each row of `blocks` holds units of `views` images; every image has the logit of its unit.
    `waits` passes batches on and may note how long each took to come.
    The model is not wrapped: DistributedDataParallel would broadcast buffers in each forward pass,
    which hangs where ranks have unequal numbers of batches.
    """
    model.eval()
    for batch in waits(source.run(rank_blocks(blocks, world.rank, world.size))):
        valid = batch.valid.cpu().numpy()
        images = batch.images.to(world.device)
        logits = score_images(model, images, valid, amp, views)
        yield batch.indices[valid], logits[valid]


def score_images(
    model: nn.Module,
    images: torch.Tensor,
    valid: NDArray[np.bool_],
    amp: str = "auto",
    views: int = 1,
) -> NDArray[np.float64]:
    """Logits (N,) of images (N, C, H, W) on the network's device, each that of its unit.

    A unit has `views` images, of which those that are not `valid` (N,) are left out. Where a score
    leaves the range of the type that `amp` means, all come of float32. Raises CheckpointError where
    that of a valid image is then still no number.
    """
    present = torch.from_numpy(valid.reshape(-1, views)).to(images.device) if views > 1 else None
    for kind in (amp, "off"):
        with torch.inference_mode(), precision(images.device, kind):
            logits = logits_of(model, images, present)
        by_image: NDArray[np.float64] = logits.cpu().numpy().astype(np.float64).repeat(views)
        if np.isfinite(by_image[valid]).all():
            return by_image
    raise CheckpointError(
        "the network's scores are not numbers: its training diverged or its weights are "
        "damaged; use an earlier checkpoint or a lower optim.lr"
    )


def collect(scores: Iterable[Scores], count: int, world: World) -> NDArray[np.float64]:
    """Logits (count,) by record, on every rank; NaN where there is none.

    Raises AssertionError if a record was scored twice, on one rank or on two.
    """
    table = np.zeros((2, count))  # how often each was scored, and the sum of its logits
    for indices, logits in scores:
        np.add.at(table[0], indices, 1.0)
        np.add.at(table[1], indices, logits)
    seen, total = world.sum(table)
    assert seen.max(initial=0) <= 1, "a record was scored twice"
    return np.where(seen == 1, total, np.nan)
