"""Images and networks to heat on the px of the files, an image at a time.

manifest -> units that hold the images asked for -> batch -> heat of each member -> on the file
"""

from collections.abc import Collection, Generator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Literal, NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from dali_pipelines.errors import CheckpointError
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.manifest_rows import to_records
from dali_pipelines.multi_loader import MultiLoader
from dali_pipelines.plan import as_blocks
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.stages import Batch, Roi
from dali_pipelines.verdicts import Reject
from trainer.arithmetic import fixed_arithmetic
from trainer.distributed import Device, join_world
from trainer.ensembles.combine import combine
from trainer.explain.feature_map import layer_of
from trainer.explain.file_grid import Map, on_file
from trainer.explain.grad_cam import at_most_one, grad_cam
from trainer.explain.occlusion import occlusion
from trainer.networks.build import logits_of
from trainer.networks.settings import VIEWS
from trainer.networks.views import backbone_of
from trainer.prediction.scorers import Scorer, Scorers
from trainer.source import OpenMultiSource
from trainer.units import build_units

Method = Literal["grad-cam", "occlusion"]


@dataclass(frozen=True, slots=True)
class ExplainOptions:
    """How to look. `layer` is for Grad-CAM, "" for the last one with a map."""

    method: Method = "grad-cam"
    layer: str = ""
    device: Device = "auto"
    loader: LoaderSettings = field(default_factory=LoaderSettings)
    open_source: OpenMultiSource = MultiLoader


class Seen(NamedTuple):
    """Heat (H, W) of one member on what it saw of an image, which was cut out as `roi` says."""

    heat: Map
    roi: Roi
    recipe: Recipe


@dataclass(frozen=True, slots=True)
class Explained:
    """One image: the probability of cancer that it, or its unit, got, and what each member saw.

    `shares` (M,) weigh the members.
    """

    record: ImageRecord
    prob: float
    seen: tuple[Seen, ...]
    shares: NDArray[np.float64]

    def heat(self, size: tuple[int, int]) -> Map:
        """Heat (h, w) float32 in 0 ... 1 on all of the file's image, drawn at `size` (h, w).

        The mean over members, the hottest px again at 1.
        """
        stream = self.record.stream
        shape = stream.height, stream.width
        total = np.zeros(size, np.float32)
        for share, (heat, roi, recipe) in zip(self.shares, self.seen, strict=True):
            total += np.float32(share) * on_file(heat, roi, recipe, shape, size)
        whole: Map = at_most_one(total[None])[0]
        return whole


def explain(
    frame: pd.DataFrame, scorers: Scorers, image_ids: Collection[str], options: ExplainOptions
) -> Generator[Explained | Reject]:
    """What the networks look at in those images of a manifest, or why there is nothing to see.

    Images come in the order of the manifest; those of a breast or exam that is scored as a whole
    are looked at together with its others. Raises ConfigError for a layer without a map, and
    CheckpointError for a network whose scores are not numbers.
    """
    for member in scorers.members if options.method == "grad-cam" else ():
        layer_of(backbone_of(member.model), options.layer)  # before anything is decoded
    records = to_records(frame)
    asked = np.flatnonzero(frame["image_id"].isin(list(image_ids)).to_numpy())
    units = build_units(frame, scorers.unit)
    blocks = units.images(as_blocks(units.holding(asked), 1))  # gradients take memory: one a time
    with join_world(options.device) as world, fixed_arithmetic(world, options.loader.threads):
        for member in scorers.members:
            member.model.to(world.device)
        opened = options.open_source(records, scorers.recipes, options.loader, options.device)
        with opened as source:
            for batches in source.run(blocks):
                yield from _explain(records, scorers, batches, set(asked.tolist()), options)
            yield from (reject for reject in source.rejects if reject.image_id in image_ids)


def _explain(
    records: Sequence[ImageRecord],
    scorers: Scorers,
    batches: tuple[Batch, ...],
    asked: Collection[int],
    options: ExplainOptions,
) -> Generator[Explained]:
    """Those images of one unit that were asked for; `batches` has one batch a recipe."""
    if not batches[0].valid.any():
        return
    by_recipe = dict(zip((recipe.hash for recipe in scorers.recipes), batches, strict=True))
    own = [by_recipe[member.recipe.hash] for member in scorers.members]
    looks = [_look(m, batch, options) for m, batch in zip(scorers.members, own, strict=True)]
    logits = np.array([[logit for logit, _ in looks]])
    prob = _probability(logits, scorers)
    for slot, index in enumerate(batches[0].indices.tolist()):
        if index in asked and batches[0].valid[slot]:
            seen = []
            for member, batch, (_, heat) in zip(scorers.members, own, looks, strict=True):
                roi = batch.rois[slot]
                assert roi is not None
                seen.append(Seen(heat[slot], roi, member.recipe))
            yield Explained(records[index], prob, tuple(seen), scorers.shares)


def _look(scorer: Scorer, batch: Batch, options: ExplainOptions) -> tuple[float, Map]:
    """The logit of a unit, and heat (V, H, W) on its images."""
    device = next(scorer.model.parameters()).device
    views = VIEWS[scorer.unit]
    present = batch.valid.view(-1, views).to(device) if views > 1 else None
    images = batch.images.to(device)
    look = partial(grad_cam, layer=options.layer) if options.method == "grad-cam" else occlusion
    scorer.model.eval()
    with torch.inference_mode():
        logit = float(logits_of(scorer.model, images, present)[0])
    heat = look(scorer.model, images, present)
    if not (np.isfinite(logit) and np.isfinite(heat).all()):
        raise CheckpointError(
            "the network's scores or gradients are not numbers: its training diverged or its "
            "weights are damaged; use an earlier checkpoint"
        )
    return logit, heat


def _probability(logits: NDArray[np.float64], scorers: Scorers) -> float:
    # ranks are among all images of a table, and here are a few of them
    how = "prob" if scorers.combine == "rank" else scorers.combine
    (logit,) = combine(logits, scorers.shares, how)
    return float(1 / (1 + np.exp(-logit)))
