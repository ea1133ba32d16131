"""The DALI pipeline: encoded bytes in, decoded values out, and nothing else.

Window, crop and resize follow outside, so that images that another decoder had to take meet the
same kernels. DALI fails a whole batch for one bad sample: `receive` then raises BatchError, and
the caller decodes that batch one by one. Every batch carries its number through the pipeline, so
that a batch that went missing is noticed and not mistaken for the one after it.
"""

import itertools
import os
from collections import deque
from collections.abc import Sequence
from typing import Any, Final, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.dlpack import from_dlpack

os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # else its J2K reader warns for every image

from nvidia.dali import fn, pipeline_def, types

# What an operator's C++ exception becomes in Python: runtime_error, invalid_argument and its
# kin, out_of_range, and bad_alloc, which the GPU's memory pool throws too.
_REFUSALS: Final = (RuntimeError, ValueError, IndexError, MemoryError)


class BatchError(RuntimeError):
    """DALI refused a batch because of at least one sample in it; the next batch is not affected.

    `of_a_file` is False where it ran out of memory, which says nothing about the samples.
    """

    def __init__(self, message: str, *, of_a_file: bool = True) -> None:
        super().__init__(message)
        self.of_a_file = of_a_file


# Depth 1: the first schedule_run then begins one batch, not several that nobody has fed yet. It
# bounds nothing: what else is scheduled is decoded as well before anything is received.
@pipeline_def(prefetch_queue_depth=1)  # type: ignore[untyped-decorator]
def decode_graph(device: Literal["cpu", "mixed"]) -> Any:
    """Encoded samples (n,) uint8 to images (H, W, 1) uint16 in the order they were fed, numbered.

    GRAY decodes one component in place, ANY_DATA would convert it; DICOM has no EXIF orientation.
    The threads of the mixed decoder mostly wait for the GPU: tied to cores (affine) they would get
    in the way of readers and of other ranks, whose threads are tied to the same ones.
    """
    encoded = fn.external_source(name="encoded", dtype=types.UINT8, ndim=1)
    number = fn.external_source(name="number", dtype=types.INT64, ndim=0)
    images = fn.decoders.image(
        encoded,
        device=device,
        output_type=types.GRAY,
        dtype=types.UINT16,
        adjust_orientation=False,
        affine=False,
    )
    return images, number


class DaliDecoder:
    """A built pipeline for batches of up to `batch` codestreams, decoded by `threads` threads.

    On "cpu" values of more than 8 bits are the stored ones. On "mixed", which needs `device_id`,
    they are spread over 16 bits: shift a precision of p right by 16 - p.
    """

    def __init__(
        self,
        batch: int,
        threads: int,
        device: Literal["cpu", "mixed"] = "cpu",
        device_id: int | None = None,
    ) -> None:
        self._batch = batch
        self._device_id = device_id
        self._numbers = itertools.count()
        self._pending: deque[int] = deque()
        self._pipeline = decode_graph(
            device=device, batch_size=batch, num_threads=threads, device_id=device_id
        )
        self._pipeline.build()

    def submit(self, streams: Sequence[NDArray[np.uint8]]) -> None:
        """Begin to decode a batch; the bytes are copied, and nothing is waited for.

        Any number of batches may be on their way; `receive` gives them in this order.
        """
        assert 0 < len(streams) <= self._batch, f"{len(streams)} codestreams in one batch"
        number = next(self._numbers)
        self._pipeline.feed_input("encoded", list(streams))
        self._pipeline.feed_input("number", np.full(len(streams), number, np.int64))
        self._pipeline.schedule_run()
        self._pending.append(number)

    def receive(self) -> list[Any]:
        """The images (H, W) uint16 of the oldest batch; BatchError if DALI refuses any of them.

        NumPy arrays on the CPU. On the GPU torch tensors, ordered on torch's current stream: the
        host waits until their decoding is queued, not until it is done. Both are DALI's own memory,
        which is theirs as long as they live; on the GPU DALI takes it back no sooner than all work
        is done that was queued before.
        """
        number = self._pending.popleft()
        try:
            images, numbers = self._pipeline.share_outputs(cuda_stream=self._stream())
        except _REFUSALS as error:
            of_a_file = not isinstance(error, MemoryError)
            raise BatchError(f"DALI refused a batch: {error}", of_a_file=of_a_file) from error
        found = np.unique(numbers.as_array()).tolist()
        assert found == [number], f"DALI gave batch {found} where batch {number} was due"
        self._pipeline.release_outputs()
        return [self._image(images[k]) for k in range(len(images))]

    def decode(self, streams: Sequence[NDArray[np.uint8]]) -> list[Any]:
        """What `receive` gives for these codestreams; nothing else may be on its way."""
        assert not self._pending, "batches that were submitted wait to be received"
        self.submit(streams)
        return self.receive()

    def drain(self) -> None:
        """Throw away all that was submitted and not received, once it is decoded."""
        while self._pending:
            try:
                self.receive()
            except BatchError:
                continue

    def _stream(self) -> int | None:
        """The stream that DALI is to order its outputs on: torch's current one; None on the CPU."""
        if self._device_id is None:
            return None
        return torch.cuda.current_stream(self._device_id).cuda_stream

    def _image(self, tensor: Any) -> NDArray[np.uint16] | torch.Tensor:
        """(H, W) of DALI's (H, W, 1), in the same memory."""
        if self._device_id is None:
            values: NDArray[np.uint16] = np.asarray(tensor)[:, :, 0]
            return values
        return from_dlpack(tensor)[:, :, 0]
