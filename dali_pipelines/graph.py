"""The DALI pipeline: encoded bytes in, stored values out, and nothing else.

Window, crop and resize follow outside, so that images that another decoder had to take meet the
same kernels. DALI fails a whole batch for one bad sample: `DaliDecoder.decode` then raises
BatchError, and the caller decodes that batch one by one.
"""

import os
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")  # else its J2K reader warns for every image

from nvidia.dali import fn, pipeline_def, types


class BatchError(RuntimeError):
    """DALI refused a batch because of at least one sample in it; the next batch is not affected."""


@pipeline_def(prefetch_queue_depth=1)  # type: ignore[untyped-decorator]
def decode_graph(device: Literal["cpu", "mixed"]) -> Any:
    """Encoded samples (n,) uint8 to images (H, W, 1) uint16, in the order they were fed.

    GRAY decodes one component in place, ANY_DATA would convert it; DICOM has no EXIF orientation.
    """
    encoded = fn.external_source(name="encoded", dtype=types.UINT8, ndim=1)
    return fn.decoders.image(
        encoded,
        device=device,
        output_type=types.GRAY,
        dtype=types.UINT16,
        adjust_orientation=False,
    )


class DaliDecoder:
    """A built pipeline for batches of up to `batch` codestreams, decoded by `threads` threads."""

    def __init__(self, batch: int, threads: int) -> None:
        self._pipeline = decode_graph(
            device="cpu", batch_size=batch, num_threads=threads, device_id=None
        )
        self._pipeline.build()

    def decode(self, streams: list[NDArray[np.uint8]]) -> list[NDArray[np.uint16]]:
        """The values (H, W) uint16 of each stream; BatchError if DALI refuses any of them."""
        try:
            (images,) = self._pipeline.run(encoded=streams)
        except RuntimeError as error:
            raise BatchError(f"DALI refused a batch of {len(streams)}: {error}") from error
        return [np.array(images.at(k))[:, :, 0] for k in range(len(images))]
