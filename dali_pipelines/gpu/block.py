"""A block of decoded images to a batch for each recipe: steps launched into rings, then checked."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from dali_pipelines.decoder import Decoded
from dali_pipelines.frame_cut import to_file_px
from dali_pipelines.gpu.device import upload
from dali_pipelines.gpu.ring import Slot
from dali_pipelines.pictures import Look, Picture
from dali_pipelines.plan import EMPTY
from dali_pipelines.read_ahead import ReadBlock
from dali_pipelines.recipe import Recipe
from dali_pipelines.records import ImageRecord
from dali_pipelines.rejects.rejections import Rejections
from dali_pipelines.shading import ImageShading
from dali_pipelines.stages import Batch, Encoded, Pixels, Roi
from dali_pipelines.steps import load_steps
from dali_pipelines.verdicts import RejectError

Shown = ImageShading | RejectError | None


@dataclass(slots=True)
class Seen:
    """A block at one look: how each place is shown, what was decoded, where each box is."""

    look: Look
    shadings: list[Shown]
    decoded: dict[int, Decoded] = field(default_factory=dict)
    boxes: dict[int, tuple[Sequence[Roi], int]] = field(default_factory=dict)

    def is_whole(self, place: int) -> bool:
        """Whether there is an image and a way to show it."""
        return isinstance(self.decoded[place], Pixels) and isinstance(
            self.shadings[place], ImageShading
        )


@dataclass(slots=True)
class Launched:
    """A block whose steps are queued: each of `looks` at it, and a slot for each recipe."""

    read: ReadBlock
    pictures: list[Picture]
    looks: list[Seen]
    slots: tuple[Slot, ...]

    def put(self, picture: Picture, found: Decoded) -> None:
        """Keep what became of a picture with all looks at it."""
        for position in picture.looks:
            self.looks[position].decoded[picture.place] = found


class BlockMaker:
    """Prepares the blocks of a loader; `resolve` gives the CPU's word on doubtful codestreams."""

    def __init__(
        self,
        records: Sequence[ImageRecord],
        recipes: Sequence[Recipe],
        rejections: Rejections,
        resolve: Callable[[Sequence[Encoded]], Iterable[Decoded]],
    ) -> None:
        self._records = records
        self._recipes = recipes
        self._rejections = rejections
        self._resolve = resolve
        self._steps = load_steps("gpu")

    def launch(self, block: Launched, decoded: Iterable[Decoded]) -> Launched:
        """Queue the steps of one block, into its slots; nothing waits for the GPU.

        `decoded` is what became of each of its pictures.
        """
        for picture, found in zip(block.pictures, decoded, strict=True):
            block.put(picture, found)
        self._prepare(block, range(len(block.read.indices)))
        return block

    def finish(self, block: Launched, doubtful: Sequence[int]) -> tuple[Batch, ...]:
        """The batches, one a recipe.

        Those of its pictures that are `doubtful` are first decoded again, by the CPU, and prepared.
        """
        doubted = [block.pictures[k] for k in doubtful]
        items = [item for picture in doubted if isinstance(item := picture.item, Encoded)]
        for picture, found in zip(doubted, self._resolve(items), strict=True):
            block.put(picture, found)
        if doubted:
            self._prepare(block, sorted({picture.place for picture in doubted}))
        batches = {
            number: self._batch(block, seen, block.slots[number])
            for seen in block.looks
            for number in seen.look.numbers
        }
        return tuple(batches[number] for number in range(len(batches)))

    def _batch(self, block: Launched, seen: Seen, slot: Slot) -> Batch:
        indices = block.read.indices
        rois = [self._roi(block, seen, place) for place in range(len(indices))]
        return Batch(
            images=slot.images,
            valid=torch.tensor([roi is not None for roi in rois], dtype=torch.bool),
            indices=indices,
            image_ids=tuple(
                "" if k == EMPTY else self._records[k].image_id for k in indices.tolist()
            ),
            rois=tuple(rois),
        )

    def _prepare(self, block: Launched, places: Iterable[int]) -> None:
        """Queue the steps for these places; those without an image become zeros."""
        whole = []
        for place in places:
            if all(seen.is_whole(place) for seen in block.looks):
                whole.append(place)
            else:
                self._reject(block, place)
        for run in _runs(whole):
            uploaded: dict[int, Pixels] = {}
            for seen in block.looks:
                pixels = [item for k in run if isinstance(item := seen.decoded[k], Pixels)]
                if len(block.looks) > 1:
                    pixels = [_on_device(image, uploaded) for image in pixels]
                self._prepare_run(block, seen, run, pixels)
        for slot in block.slots:
            slot.filled.set()

    def _prepare_run(
        self, block: Launched, seen: Seen, run: list[int], pixels: list[Pixels]
    ) -> None:
        """Queue the steps for places without a gap between them."""
        shadings = [how for k in run if isinstance(how := seen.shadings[k], ImageShading)]
        given = [self._records[int(block.read.indices[k])].box for k in run]
        shown, boxes = self._steps.show(pixels, shadings, seen.look.recipe, given)
        for number in seen.look.numbers:
            out = block.slots[number].images[run[0] : run[-1] + 1]
            self._steps.resize(shown, boxes, self._recipes[number].resize, out)
        seen.boxes.update({place: (boxes, k) for k, place in enumerate(run)})

    def _reject(self, block: Launched, place: int) -> None:
        """Leave zeros, and note why there is no image, where the place was meant to hold one."""
        for slot in block.slots:
            slot.images[place].zero_()
        for seen in block.looks:
            seen.boxes.pop(place, None)
        index, item = int(block.read.indices[place]), block.read.encoded[place]
        if isinstance(item, RejectError):
            self._rejections.add(index, "read", item)
            return
        ends = [
            (stage, end)
            for seen in block.looks
            for stage, end in (("decode", seen.decoded[place]), ("prepare", seen.shadings[place]))
            if isinstance(end, RejectError)
        ]
        for stage, error in ends[:1]:
            self._rejections.add(index, stage, error)

    def _roi(self, block: Launched, seen: Seen, place: int) -> Roi | None:
        """What was cut out, in px of the file; waits until the GPU has found it."""
        pixels = seen.decoded[place]
        if place not in seen.boxes or not isinstance(pixels, Pixels):
            return None
        boxes, k = seen.boxes[place]
        stream = self._records[int(block.read.indices[place])].stream
        return to_file_px(boxes[k], pixels.reduce, stream, seen.look.recipe.decode)


def _on_device(image: Pixels, uploaded: dict[int, Pixels]) -> Pixels:
    """The image, with the values of a CPU decoder on the device: one copy for all looks at it."""
    values = image.values
    if not isinstance(values, np.ndarray):
        return image
    if id(image) not in uploaded:
        there = upload(values).view(torch.uint16).reshape(values.shape)
        uploaded[id(image)] = replace(image, values=there)
    return uploaded[id(image)]


def _runs(places: Sequence[int]) -> Iterator[list[int]]:
    """Ascending places as runs without a gap: one launch of the steps for each."""
    run: list[int] = []
    for place in places:
        if run and place != run[-1] + 1:
            yield run
            run = []
        run.append(place)
    if run:
        yield run
