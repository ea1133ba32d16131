"""A block of decoded images to a batch: steps launched into a slot of the ring, then checked."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import torch

from dali_pipelines.decoder import Decoded
from dali_pipelines.frame_cut import to_file_px
from dali_pipelines.gpu.ring import Slot
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
class Launched:
    """A block whose steps are queued: what was decoded, how it is shown, where each box is."""

    read: ReadBlock
    slot: Slot
    decoded: list[Decoded]
    shadings: list[Shown]
    boxes: dict[int, tuple[Sequence[Roi], int]] = field(default_factory=dict)


class BlockMaker:
    """Prepares the blocks of a loader; `resolve` gives the CPU's word on doubtful codestreams."""

    def __init__(
        self,
        records: Sequence[ImageRecord],
        recipe: Recipe,
        rejections: Rejections,
        resolve: Callable[[Sequence[Encoded]], Iterable[Decoded]],
    ) -> None:
        self._records = records
        self._recipe = recipe
        self._rejections = rejections
        self._resolve = resolve
        self._steps = load_steps("gpu")

    def launch(
        self, read: ReadBlock, decoded: list[Decoded], shadings: list[Shown], slot: Slot
    ) -> Launched:
        """Queue the steps of one block, into `slot`; nothing waits for the GPU."""
        block = Launched(read, slot, decoded, shadings)
        self._prepare(block, range(len(decoded)))
        return block

    def finish(self, block: Launched, doubtful: Sequence[int]) -> Batch:
        """The batch; places in `doubtful` are first decoded again, by the CPU, and prepared."""
        items = [item for k in doubtful if isinstance(item := block.read.encoded[k], Encoded)]
        for place, decoded in zip(doubtful, self._resolve(items), strict=True):
            block.decoded[place] = decoded
            block.boxes.pop(place, None)
        if doubtful:
            self._prepare(block, doubtful)
        indices = block.read.indices
        rois = [self._roi(block, place) for place in range(len(indices))]
        return Batch(
            images=block.slot.images,
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
            if isinstance(block.decoded[place], Pixels) and isinstance(
                block.shadings[place], ImageShading
            ):
                whole.append(place)
            else:
                block.slot.images[place].zero_()
                self._reject(block, place)
        for run in _runs(whole):
            pixels = [item for k in run if isinstance(item := block.decoded[k], Pixels)]
            shadings = [how for k in run if isinstance(how := block.shadings[k], ImageShading)]
            out = block.slot.images[run[0] : run[-1] + 1]
            given = [self._records[int(block.read.indices[k])].box for k in run]
            boxes = self._steps.prepare(pixels, shadings, self._recipe, out, given)
            block.boxes.update({place: (boxes, k) for k, place in enumerate(run)})
        block.slot.filled.set()

    def _reject(self, block: Launched, place: int) -> None:
        """Note why there is no image, where the place was meant to hold one."""
        item, decoded, shading = (
            block.read.encoded[place],
            block.decoded[place],
            block.shadings[place],
        )
        index = int(block.read.indices[place])
        if isinstance(item, RejectError):
            self._rejections.add(index, "read", item)
        elif isinstance(decoded, RejectError):
            self._rejections.add(index, "decode", decoded)
        elif isinstance(shading, RejectError):
            self._rejections.add(index, "prepare", shading)

    def _roi(self, block: Launched, place: int) -> Roi | None:
        """What was cut out, in px of the file; waits until the GPU has found it."""
        pixels = block.decoded[place]
        if place not in block.boxes or not isinstance(pixels, Pixels):
            return None
        boxes, k = block.boxes[place]
        stream = self._records[int(block.read.indices[place])].stream
        return to_file_px(boxes[k], pixels.reduce, stream, self._recipe.decode)


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
