"""Random changes of a batch on its device, that follow from the place of each image in the run.

    images -> gray -> tone -> movement -> texture -> dropout -> images

The host draws what happens to each image and uploads small tables; it never waits for the device.
A change works on all images it applies to at once, and on no other.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from trainer.augment.draws import Numbers, change_stream, choose, uniforms
from trainer.augment.dropout import drop_holes
from trainer.augment.levels import Levels, from_gray, to_gray
from trainer.augment.movement import FLIPS, RESAMPLED, Draw, Rows, plan_movement
from trainer.augment.settings import AugmentSettings, Change
from trainer.augment.texture import add_noise, blur, downscale, median
from trainer.augment.tone import change_brightness, change_curve, change_gamma, move_window
from trainer.augment.warp import flip, warp
from trainer.upload import upload

Apply = Callable[[torch.Tensor, Numbers], torch.Tensor]
Part = tuple[Change, int, Apply]  # a change, how many numbers an image takes, what it does
_AXES: Final = dict(zip(FLIPS, (3, 2), strict=True))


@dataclass(frozen=True, slots=True)
class Augmenter:
    """The changes that `settings` name, for images whose black and white are `levels`."""

    settings: AugmentSettings
    levels: Levels
    seed: int

    def __call__(
        self, images: torch.Tensor, epoch: int, positions: NDArray[np.int64]
    ) -> torch.Tensor:
        """Changed images (N, C, H, W), on the same device and of the same dtype.

        `positions` (N,) are the places of the images in the epoch over all ranks, from 0 on. An
        image that nothing happens to keeps its bits; `images` itself is left as it is, and given
        back where nothing happens to any.
        """
        if not self.settings.changes_images:
            return images
        chosen = choose(self.settings, self.seed, epoch, positions)
        rows = _union(chosen.values())
        if not len(rows):
            return images
        draw = partial(self._draw, epoch, positions[rows])
        change = partial(self._change, chosen=_within(chosen, rows), draw=draw)
        with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
            return _on_rows(images, rows, change)

    def _draw(
        self, epoch: int, positions: NDArray[np.int64], change: Change, rows: Rows, count: int
    ) -> Numbers:
        """Numbers (len(rows), count) of one change, for the images at `positions[rows]`."""
        return uniforms(self.seed, epoch, positions[rows], change_stream(change), count)

    def _change(
        self, images: torch.Tensor, chosen: Mapping[Change, Rows], draw: Draw
    ) -> torch.Tensor:
        """All that happens to `images`, each of which something happens to."""
        black, white = self.levels.bounds(images)
        gray = to_gray(images, black, white)
        gray = _apply(gray, _tone(self.settings), chosen, draw)
        gray = _move(gray, self.settings, chosen, draw)
        gray = _apply(gray, _texture(self.settings), chosen, draw)
        return from_gray(gray, black, white, like=images)


def _tone(settings: AugmentSettings) -> tuple[Part, ...]:
    return (
        ("window", 2, partial(move_window, settings=settings.window)),
        ("brightness", 2, partial(change_brightness, settings=settings.brightness)),
        ("gamma", 1, partial(change_gamma, settings=settings.gamma)),
        ("curve", 2, partial(change_curve, settings=settings.curve)),
    )


def _texture(settings: AugmentSettings) -> tuple[Part, ...]:
    holes = settings.dropout.holes[1]
    return (
        ("downscale", 1, partial(downscale, settings=settings.downscale)),
        ("blur", 1, partial(blur, settings=settings.blur)),
        ("median", 0, lambda planes, _: median(planes)),
        ("noise", 2, partial(add_noise, settings=settings.noise)),
        ("dropout", 1 + 4 * holes, partial(drop_holes, settings=settings.dropout)),
    )


def _apply(
    planes: torch.Tensor, parts: Iterable[Part], chosen: Mapping[Change, Rows], draw: Draw
) -> torch.Tensor:
    """One change after another, each on the planes it was chosen for."""
    for change, count, apply in parts:
        if change in chosen:
            rows = chosen[change]
            planes = _on_rows(planes, rows, apply, draw(change, rows, count))
    return planes


def _move(
    planes: torch.Tensor, settings: AugmentSettings, chosen: Mapping[Change, Rows], draw: Draw
) -> torch.Tensor:
    """What moves px: in one interpolation, or exactly where a plane is only flipped."""
    rows = _union(chosen[change] for change in RESAMPLED if change in chosen)
    for change, axis in _AXES.items():
        only = np.setdiff1d(chosen.get(change, []), rows).astype(np.int64)
        if len(only):
            planes = _on_rows(planes, only, partial(flip, axis=axis))
    if not len(rows):
        return planes
    size = (planes.shape[2], planes.shape[3])
    moved = _within(chosen, rows)
    movement = plan_movement(
        settings,
        moved,
        lambda change, local, count: draw(change, rows[local], count),
        len(rows),
        size,
    )
    return _on_rows(planes, rows, partial(warp, movement=movement, settings=settings))


def _on_rows(
    images: torch.Tensor, rows: Rows, function: Callable[..., torch.Tensor], *args: object
) -> torch.Tensor:
    """`images` (N, ...), of which those at `rows` went through `function`, given `args` as well."""
    if len(rows) == len(images):
        return function(images, *args)
    index = upload(rows, torch.int64, images.device)
    return images.index_copy(0, index, function(images.index_select(0, index), *args))


def _union(found: Iterable[Rows]) -> Rows:
    """The rows of any, each once and in order."""
    return np.unique(np.concatenate([np.empty(0, np.int64), *found]))


def _within(chosen: Mapping[Change, Rows], rows: Rows) -> dict[Change, Rows]:
    """The changes chosen for `rows` (ordered), as places among them."""
    places = {
        change: np.searchsorted(rows, np.intersect1d(found, rows))
        for change, found in chosen.items()
    }
    return {change: found for change, found in places.items() if len(found)}
