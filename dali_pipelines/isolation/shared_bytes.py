"""Memory that two processes see, so that 17 MB of pixels need not pass through a pipe."""

import fcntl
import mmap
import os
import sys
import tempfile

import numpy as np
from numpy.typing import NDArray


class SharedBytes:
    """Bytes behind one descriptor, which another process may be given; they grow, never shrink.

    Whoever opens `descriptor` sees the same bytes. Nothing orders reads and writes: the processes
    must take turns. On Linux nobody can shrink them, which would kill whoever looks at them next.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self.descriptor = _new_file() if descriptor is None else descriptor
        self._seen: NDArray[np.uint8] = np.empty(0, np.uint8)

    def view(self, size: int) -> NDArray[np.uint8]:
        """The first `size` bytes, (size,) uint8, zeros where nobody wrote; OSError if too many."""
        if len(self._seen) < size:
            if os.fstat(self.descriptor).st_size < size:
                os.ftruncate(self.descriptor, size)
            self._seen = np.frombuffer(mmap.mmap(self.descriptor, size), np.uint8)
        return self._seen[:size]

    def close(self) -> None:
        """Give up the descriptor; the bytes live on as long as a view of them."""
        os.close(self.descriptor)
        self._seen = np.empty(0, np.uint8)


def _new_file() -> int:
    if sys.platform != "linux":
        with tempfile.TemporaryFile() as file:
            return os.dup(file.fileno())
    descriptor = os.memfd_create("mammo-decode", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL)
    return descriptor
