"""The pass that scores: each image once, by each member that is to score it.

blocks -> source -> a batch a recipe -> variants -> members -> logits of the block's images
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dali_pipelines.stages import Batch
from dali_pipelines.verdicts import Reject
from trainer.distributed import World
from trainer.networks.settings import VIEWS
from trainer.prediction.order import Order
from trainer.prediction.scorers import Scorer, Scorers
from trainer.prediction.tta import Tta
from trainer.scoring import score_images
from trainer.source import MultiSource


@dataclass(frozen=True, slots=True)
class BlockScores:
    """What became of one block: its number, positions (k,) of images and their logits (k, M).

    A logit is NaN where the member does not score the block. `rejects` says why other images of
    the block have none.
    """

    block: int
    indices: NDArray[np.int64]
    logits: NDArray[np.float64]
    rejects: tuple[Reject, ...] = ()


def score_blocks(
    scorers: Scorers,
    source: MultiSource,
    order: Order,
    numbers: NDArray[np.int64],
    world: World,
    tta: Tta,
) -> Iterator[BlockScores]:
    """The scores of the blocks of those `numbers`, in that order; networks are on the device."""
    recipes = [recipe.hash for recipe in scorers.recipes]
    for member in scorers.members:
        member.model.eval()
    for number, batches in zip(numbers.tolist(), source.run(order.blocks[numbers]), strict=True):
        valid = batches[0].valid.cpu().numpy()
        images = dict(zip(recipes, batches, strict=True))
        columns = [
            _logits(member, images[member.recipe.hash], valid, world, tta)
            if is_asked
            else np.full(int(valid.sum()), np.nan)
            for member, is_asked in zip(scorers.members, order.members[number], strict=True)
        ]
        indices = batches[0].indices
        lost = _rejects(source, batches[0]) if (~valid & (indices >= 0)).any() else ()
        yield BlockScores(number, indices[valid], np.stack(columns, axis=1), lost)


def _logits(
    member: Scorer, batch: Batch, valid: NDArray[np.bool_], world: World, tta: Tta
) -> NDArray[np.float64]:
    """The mean over all variants of the logits (k,) of the valid images."""
    views = VIEWS[member.unit]
    with torch.inference_mode():
        images = batch.images.to(world.device)
        found = [
            score_images(member.model, variant, valid, views=views)[valid]
            for variant in tta.apply(images, member.recipe)
        ]
    mean: NDArray[np.float64] = np.mean(found, axis=0)
    return mean


def _rejects(source: MultiSource, batch: Batch) -> tuple[Reject, ...]:
    """Why images of this batch are not valid; the source may be ahead, and know of more."""
    valid = batch.valid.tolist()
    lost = {name for name, is_valid in zip(batch.image_ids, valid, strict=True) if not is_valid}
    known = source.rejects_by_id
    return tuple(known[name] for name in sorted(lost) if name in known)
