"""Which codestreams of a batch the GPU decodes, and which of them go into one call of DALI."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.codestream.bit_budget import Budget
from dali_pipelines.codestream.open_end import ends_open
from dali_pipelines.codestream.sof3 import normalize_header
from dali_pipelines.decoder import DALI_BATCH, DALI_PIXELS, Place, shares
from dali_pipelines.gpu.canary import Canary
from dali_pipelines.pixel_settings import DecodeSettings
from dali_pipelines.routing import StreamClass, class_of, route_gpu
from dali_pipelines.stages import Encoded, Pixels
from dali_pipelines.verdicts import RejectError, guarded


@dataclass(slots=True)
class Frame:
    """A codestream on its way through the GPU, and what the CPU meanwhile finds out about it.

    `data` is what DALI is fed. `budget`: of a lossless JPEG; `second`: the canary's other picture.
    """

    place: int
    item: Encoded
    data: NDArray[np.uint8]
    budget: "Future[Budget | RejectError] | None" = None
    second: "Future[Pixels | RejectError] | None" = None


class Intake:
    """Sorts batches. `sound_nvjpeg` is asked once, when the first lossless JPEG comes.

    `settings` are for codestreams that name no recipe. Headers are rewritten by `pool`; the canary
    says which classes are banned.
    """

    def __init__(
        self,
        settings: DecodeSettings,
        canary: Canary,
        pool: Executor,
        sound_nvjpeg: Callable[[], bool],
    ) -> None:
        self._settings = settings
        self._canary = canary
        self._pool = pool
        self._ask_nvjpeg = sound_nvjpeg
        self._suspects: set[StreamClass] = set()

    def take(self, batch: Sequence[Place]) -> list[list[Frame]]:
        """The frames that the GPU is to decode, in runs small enough for one call of DALI.

        What has a header that cannot be read is not among them: the CPU has the verdict on it.
        """
        places = [place for place, item in enumerate(batch) if self._fits(item)]
        items = [item for place in places if isinstance(item := batch[place], Encoded)]
        streams = self._pool.map(_stream_for_dali, items)
        frames = [
            Frame(place, item, data)
            for place, item, data in zip(places, items, streams, strict=True)
            if not isinstance(data, RejectError)
        ]
        return list(self._shares(frames))

    def suspect(self, kinds: Iterable[StreamClass]) -> None:
        """Keep each of these classes apart, so that what becomes of its calls is its own doing."""
        self._suspects.update(kinds)

    @cached_property
    def _sound_nvjpeg(self) -> bool:
        return self._ask_nvjpeg()

    def _fits(self, item: Place) -> bool:
        if not isinstance(item, Encoded) or item.on_cpu or self._canary.is_banned(item.record):
            return False
        stream = item.record.stream
        settings = item.recipe.decode if item.recipe else self._settings
        sound = stream.kind != "jpeg_lossless" or self._sound_nvjpeg
        taken = route_gpu(stream, settings, sound_nvjpeg=sound, frames=item.frames)
        return taken == "gpu" and not ends_open(item.data, stream.kind)

    def _shares(self, frames: Iterable[Frame]) -> Iterator[list[Frame]]:
        groups: dict[StreamClass | None, list[Frame]] = defaultdict(list)
        for frame in frames:
            kind = class_of(frame.item.record)
            groups[kind if kind in self._suspects else None].append(frame)
        for group in groups.values():
            for share in shares([frame.item for frame in group], DALI_BATCH, DALI_PIXELS):
                yield [group[k] for k in share]


def _stream_for_dali(item: Encoded) -> NDArray[np.uint8] | RejectError:
    if item.record.stream.kind != "jpeg_lossless":
        return item.data
    return guarded(partial(normalize_header, item.data))
