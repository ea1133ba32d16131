"""What an image is on its way from a record to a batch: what each step takes and gives.

    ImageRecord -> Encoded -> Pixels -> (window, Roi, resize) -> Batch

Each stage holds what the next step needs, and nothing of it is kept in a file.
"""

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.records import GivenBox, ImageRecord

if TYPE_CHECKING:
    import torch

    from dali_pipelines.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Encoded:
    """One codestream in memory, proved complete as far as its syntax allows; `data` (n,) uint8.

    Where the image is the maximum over several frames, `data` holds their codestreams one after
    another and `sizes` their bytes; () for one codestream. `on_cpu`: no GPU is to decode it.
    `recipe` is the one to decode it for, None: that of whoever decodes it.
    """

    data: NDArray[np.uint8]
    record: ImageRecord
    sizes: tuple[int, ...] = ()
    on_cpu: bool = False
    recipe: "Recipe | None" = None

    @property
    def frames(self) -> int:
        """How many codestreams `data` holds."""
        return len(self.sizes) or 1


@dataclass(frozen=True, slots=True)
class Pixels:
    """Decoded values (H, W) uint16; the stored value's bit pattern is `values >> shift`.

    A CPU decoder gives shift 0. The GPU decoder spreads p bits over 16 and gives 16 - p, and its
    values are a torch tensor. `reduce` wavelet levels were left out: (H, W) is that of the image
    divided by 2**reduce, rounded up.
    """

    values: "NDArray[np.uint16] | torch.Tensor"
    shift: int = 0
    reduce: int = 0


@dataclass(frozen=True, slots=True)
class Roi:
    """The part of an image to keep: half-open rows [top, bottom) and columns [left, right) in px.

    `mirror` is True where the crop is to be flipped left to right. `found` is False where no
    breast was seen and the box is the full frame. `mask` (H, W) of the whole frame is False where
    px are to become black; None keeps all of them. It lives as long as the image is prepared, and
    only on the CPU: those of a GPU stay there (`gpu.boxes.DeviceRois`). `reduce` wavelet levels of
    the image were left out where the box is in px of the file all the same, as a box of a `Batch`
    is; it is not kept in shards.
    """

    top: int
    bottom: int
    left: int
    right: int
    mirror: bool = False
    found: bool = True
    mask: NDArray[np.bool_] | None = field(default=None, compare=False, repr=False)
    reduce: int = field(default=0, compare=False, repr=False)

    @property
    def height(self) -> int:
        """Rows in the box."""
        return self.bottom - self.top

    @property
    def width(self) -> int:
        """Columns in the box."""
        return self.right - self.left

    def given(self, box: GivenBox) -> "Roi":
        """The box by hand in the place of this one, mirrored as this one where it leaves that."""
        mirror = self.mirror if box.mirror is None else box.mirror
        return Roi(box.top, box.bottom, box.left, box.right, mirror)

    def enlarged(self, levels: int, height: int, width: int) -> "Roi":
        """The same box on the whole image of (height, width), of which `levels` were left out.

        It comes without the mask, which has the size of the image as it was decoded.
        """
        if levels == 0:
            return replace(self, mask=None)
        bottom, right = min(height, self.bottom << levels), min(width, self.right << levels)
        return replace(
            self,
            top=self.top << levels,
            bottom=bottom,
            left=self.left << levels,
            right=right,
            mask=None,
        )


@dataclass(slots=True)
class Batch:
    """N prepared images.

    `images` (N, C, H, W) of the recipe's dtype, on the loader's device. There it belongs to a ring:
    on a GPU it holds until the next batch is asked for, so clone what is to be kept.
    `valid` (N,) bool on the CPU: False where a slot holds no sample, because the plan ended (index
    -1) or the input was rejected; such a slot is all zeros. `indices` (N,) are positions in the
    list of records, -1 for none. `rois` says what was cut out of each image, in px of the file.
    """

    images: "torch.Tensor"
    valid: "torch.Tensor"
    indices: NDArray[np.int64]
    image_ids: tuple[str, ...]
    rois: tuple[Roi | None, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.indices)
