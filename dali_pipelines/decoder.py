"""Decode batches on the CPU: each codestream by its decoder, each failure on its own."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor
from functools import partial
from threading import Lock
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from dali_pipelines.cpu.decode import decode
from dali_pipelines.cpu.packets import require_all_packets
from dali_pipelines.isolation.pool import DecodePool
from dali_pipelines.loader_settings import LoaderSettings
from dali_pipelines.recipe import Recipe
from dali_pipelines.routing import route
from dali_pipelines.stages import Encoded, Pixels
from dali_pipelines.stored_values import stream_shift
from dali_pipelines.verdicts import Reason, RejectError, guarded

if TYPE_CHECKING:
    from dali_pipelines.graph import DaliDecoder

# The most that DALI is given at once. It takes 5.5 bytes a pixel (measured on 10000 x 10000), so
# eight of the largest mammograms and at most 1.2 GB.
DALI_BATCH: Final = 32
DALI_PIXELS: Final = 8 * 5355 * 4915
Place = Encoded | RejectError | None
Result = Pixels | RejectError
Decoded = Result | None
Job = Callable[[], Result]


class Decoder:
    """Decodes on the CPU what recipes want; `counts` says how many pictures came from where.

    A codestream that names no recipe is decoded for `recipe`; it may also name one of `others`.

    Decoders that take one image at a time run on `pool`, or, with `settings.isolation` "process",
    in children that `pool` waits for; so does JPEG 2000 then, and always where the recipe leaves
    out levels of it. Else JPEG 2000 goes to DALI in batches. DALI is loaded and children are
    started when the first codestream for them comes. DeviceError where Pillow cannot do its part.
    """

    def __init__(
        self,
        settings: LoaderSettings,
        recipe: Recipe,
        pool: Executor,
        others: Sequence[Recipe] = (),
    ) -> None:
        if any(one.decode.reduce != 0 for one in (recipe, *others)):
            from dali_pipelines.cpu.reduced_decode import (  # noqa: PLC0415 - loads Pillow
                require_reduced_decode,
            )

            require_reduced_decode()
        self.counts: Counter[str] = Counter()
        self._counting = Lock()
        self._recipe = recipe
        self._settings = settings
        self._pool = pool
        self._children = DecodePool(settings.resolved_threads(), timeout_s=settings.timeout_s)
        self._dali: DaliDecoder | None = None

    def decode(self, batch: Sequence[Place]) -> list[Decoded]:
        """For each place: its Pixels, or why there are none; None stays None."""
        result: list[Decoded] = [None if isinstance(item, Encoded) else item for item in batch]
        jobs, by_dali = self._assign(batch)
        futures = {k: self._pool.submit(job) for k, job in jobs.items()}
        for k, pixels in self._decode_dali(by_dali):
            result[k] = pixels
        for k, future in futures.items():
            result[k] = future.result()
        return result

    def start(self, batch: Sequence[Place]) -> list[Job | None]:
        """For each codestream a job that gives its Pixels, or why there are none; None for others.

        The jobs may run on any thread and in any order. What DALI takes is decoded before they are
        handed out.
        """
        jobs, by_dali = self._assign(batch)
        for k, pixels in self._decode_dali(by_dali):
            jobs[k] = partial(_given, pixels)
        return [jobs.get(k) for k in range(len(batch))]

    def decode_alone(self, item: Encoded) -> Result:
        """One codestream, decoded in a child that may die of it."""
        result = guarded(partial(self._children.decode, item, self._recipe_of(item)))
        left_out = result.reduce if isinstance(result, Pixels) else 0
        decoder, part = ("pillow", f" 1/{1 << left_out}") if left_out else ("imagecodecs", "")
        self._count(f"{decoder} {item.record.stream.kind}{part}", result)
        return result

    def stop(self) -> None:
        """End the children at once; what they are at comes to nothing and is no image's fault."""
        self._children.stop()

    def close(self) -> None:
        """As `stop`; no child is left when it returns."""
        self._children.close()

    def _assign(self, batch: Sequence[Place]) -> tuple[dict[int, Job], dict[int, Encoded]]:
        """By position: jobs for what is decoded alone, and the codestreams for DALI."""
        jobs: dict[int, Job] = {}
        by_dali: dict[int, Encoded] = {}
        for k, item in enumerate(batch):
            if not isinstance(item, Encoded):
                continue
            decoder = route(item.record.stream, frames=item.frames)
            if self._goes_to_a_child(item, decoder):
                jobs[k] = partial(self.decode_alone, item)
            elif decoder == "dali":
                by_dali[k] = item
            else:
                jobs[k] = partial(self._decode_here, decoder, item)
        return jobs, by_dali

    def _recipe_of(self, item: Encoded) -> Recipe:
        return item.recipe or self._recipe

    def _goes_to_a_child(self, item: Encoded, decoder: str) -> bool:
        if self._recipe_of(item).decode.reduce != 0 and item.record.stream.kind in {"j2k", "htj2k"}:
            return True
        return self._settings.isolation == "process" and decoder != "numpy"

    def _decode_dali(self, places: dict[int, Encoded]) -> Iterator[tuple[int, Result]]:
        """Each position with what became of its codestream."""
        refused = {k: _missing_packets(item) for k, item in places.items()}
        yield from ((k, error) for k, error in refused.items() if error is not None)
        places = {k: item for k, item in places.items() if refused[k] is None}
        positions, streams = list(places), list(places.values())
        for share in shares(streams, DALI_BATCH, DALI_PIXELS):
            decoded = self._decode_share([streams[k] for k in share])
            yield from zip((positions[k] for k in share), decoded, strict=True)

    def _decode_share(self, streams: list[Encoded]) -> list[Result]:
        from dali_pipelines.graph import BatchError, DaliDecoder  # noqa: PLC0415 - 1 s to import

        if self._dali is None:
            self._dali = DaliDecoder(DALI_BATCH, self._settings.resolved_threads())
        try:
            images = self._dali.decode([item.data for item in streams])
        except BatchError:
            self.counts["batches decoded again one by one"] += 1
            return list(self._pool.map(self.decode_alone, streams))
        decoded = [_checked(item, image) for item, image in zip(streams, images, strict=True)]
        for item, result in zip(streams, decoded, strict=True):
            self._count(f"dali {item.record.stream.kind}", result)
        return decoded

    def _decode_here(self, decoder: str, item: Encoded) -> Result:
        result = guarded(partial(decode, item))
        self._count(f"{decoder} {item.record.stream.kind}", result)
        return result

    def _count(self, name: str, result: Result) -> None:
        """Count the decoder's picture, if it gave one."""
        if isinstance(result, Pixels):
            with self._counting:
                self.counts[name] += 1


def shares(streams: Sequence[Encoded], most: int, most_pixels: int) -> Iterator[list[int]]:
    """Positions in order, in runs of up to `most` codestreams that make up to `most_pixels` px.

    One that alone makes more is a run of its own.
    """
    share: list[int] = []
    pixels = 0
    for k, item in enumerate(streams):
        size = item.record.stream.height * item.record.stream.width
        if share and (len(share) == most or pixels + size > most_pixels):
            yield share
            share, pixels = [], 0
        share.append(k)
        pixels += size
    if share:
        yield share


def _missing_packets(item: Encoded) -> RejectError | None:
    """Why DALI, which would give a picture all the same, is not to have it; None if it is."""
    found = guarded(partial(require_all_packets, item.data, item.record.stream))
    return found if isinstance(found, RejectError) else None


def _given(pixels: Result) -> Result:
    return pixels


def _checked(item: Encoded, image: NDArray[np.uint16]) -> Result:
    wanted = (item.record.stream.height, item.record.stream.width)
    if image.shape == wanted:
        return Pixels(image, stream_shift(item.record))
    return RejectError(
        Reason.GEOMETRY, f"DALI gave shape {image.shape}, the codestream says {wanted}"
    )
