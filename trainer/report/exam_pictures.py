"""Prepared images of chosen exams as pictures for the page, with and without a heat map."""

import base64
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from PIL import Image

from dali_pipelines.inspection.display_values import display_values
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.manifest_rows import to_records
from dali_pipelines.plan import EMPTY, sequential_blocks
from dali_pipelines.records import ImageRecord
from dali_pipelines.stages import Batch
from trainer.arithmetic import fixed_arithmetic
from trainer.distributed import Device, World, join_world
from trainer.explain.grad_cam import grad_cam
from trainer.explain.overlay import FAINTEST, overlay
from trainer.networks.settings import VIEWS
from trainer.prediction.scorers import Scorer
from trainer.report.hanging import is_turned
from trainer.source import OpenSource
from trainer.units import build_units

_HIGHEST: Final = 512  # px of a picture: twice what a tile takes on a page of 1280 px
_BLACK: Final = 1 / 512  # of the display range: what 8 bits show as black
_QUALITY: Final = 82  # of JPEG; the pictures show what the network saw, nobody is to read them


@dataclass(frozen=True, slots=True)
class Picture:
    """One image as data: URIs, turned as it hangs; `heat` has the heat map over it.

    `width` and `height` are in px. `note` says why no heat is to be seen, "" where some is.
    """

    plain: str
    heat: str
    width: int
    height: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Painter:
    """What paints images: a network, and where it and the preparation of its images run."""

    scorer: Scorer
    open_source: OpenSource
    device: Device = "auto"
    loader: LoaderSettings = field(default_factory=LoaderSettings)

    def paint(self, exams: pd.DataFrame, weights: Mapping[str, float]) -> dict[str, Picture]:
        """A picture by image_id of each row of a manifest; those that give no image are left out.

        `weights` in 0 ... 1 say by image_id how strong its heat map is to be.
        """
        records, scorer = to_records(exams), self.scorer
        pictures = {}
        with (
            join_world(self.device) as world,
            fixed_arithmetic(world, self.loader.threads),
            self.open_source(records, scorer.recipe, self.loader, self.device) as source,
        ):
            units = build_units(exams, scorer.unit)
            one_by_one = units.images(sequential_blocks(len(units.members), 1))
            for batch in source.run(one_by_one):
                for index, image, heat in self._looks(batch, world):
                    record = records[index]
                    weight = weights.get(record.image_id, 0.0)
                    pictures[record.image_id] = self._picture(record, image, heat, weight)
        return pictures

    def _looks(
        self, batch: Batch, world: World
    ) -> Iterator[tuple[int, NDArray[np.float32], NDArray[np.float32]]]:
        """Index, prepared image (C, H, W) and heat map (H, W) of each image of one unit."""
        valid = batch.valid.cpu()
        if not bool(valid.any()):
            return
        model = self.scorer.model.to(world.device)
        several = VIEWS[self.scorer.unit] > 1
        present = valid[None].to(world.device) if several else None
        images = batch.images.to(world.device).float()
        heat = grad_cam(model, images, present)
        shown = images.cpu().numpy()
        for slot in torch.nonzero(valid).flatten().tolist():
            assert batch.indices[slot] != EMPTY
            yield int(batch.indices[slot]), shown[slot], heat[slot]

    def _picture(
        self, record: ImageRecord, image: NDArray[np.float32], heat: NDArray[np.float32],
        weight: float,
    ) -> Picture:  # fmt: skip
        recipe, note = self.scorer.recipe, _note(heat, weight)
        heat = np.float32(weight) * heat
        gray = np.clip(display_values(image, recipe), 0, 1)
        if is_turned(record.tags, recipe.roi):
            gray, heat = gray[:, ::-1], heat[:, ::-1]
        shift = _gap(gray, record.tags.laterality)
        gray, heat = np.roll(gray, shift, axis=1), np.roll(heat, shift, axis=1)
        plain = _fitted(np.rint(255 * gray).astype(np.uint8))
        hot = _fitted(overlay(gray, heat))
        return Picture(_jpeg(plain), _jpeg(hot), plain.width, plain.height, note)


def _note(heat: NDArray[np.float32], weight: float) -> str:
    """What is said of a heat map in which nothing is to be seen."""
    if not heat.any():
        return "nothing spoke for cancer here"
    return "" if weight * float(heat.max()) >= FAINTEST else "too faint to be seen"


def _gap(gray: NDArray[np.float32], side: str) -> int:
    """By how many columns to the right the picture moves so that nothing black is at the middle.

    Where a recipe pads, the padding would else part the breasts; it goes to the outer side.
    """
    filled = np.flatnonzero(gray.max(axis=0) > _BLACK)
    if not len(filled) or side not in {"R", "L"}:
        return 0
    return gray.shape[1] - 1 - int(filled[-1]) if side == "R" else -int(filled[0])


def _fitted(levels: NDArray[np.uint8]) -> Image.Image:
    """A picture (H, W) or (H, W, 3), made smaller where it is larger than a tile."""
    picture = Image.fromarray(np.ascontiguousarray(levels))
    if picture.height <= _HIGHEST:
        return picture
    width = max(1, round(picture.width * _HIGHEST / picture.height))
    return picture.resize((width, _HIGHEST), Image.Resampling.LANCZOS)


def _jpeg(picture: Image.Image) -> str:
    """A data: URI."""
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=_QUALITY, optimize=True)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
